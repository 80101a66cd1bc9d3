# Faster R-CNN on thermal images alone: a teacher.
_base_ = './faster_rcnn_r50_fpn_mavd_visual.py'

model = dict(
    data_preprocessor=dict(
        modality='thermal', modalities=dict(_delete_=True, thermal=dict(mean=[116.0], std=[57.0]))
    ),
    # ImageNet's first convolution is averaged over its channels
    backbone=dict(type='AudioResNet', in_channels=1),
)

train_pipeline = [
    dict(type='LoadVisualModalities', modalities=('thermal',)),
    dict(type='LoadAnnotations', with_bbox=True),
    dict(type='ResizeModalities', scale=(576, 576), mode='stretch'),
    dict(type='PackAudioVisualInputs'),
]
test_pipeline = [
    dict(type='LoadVisualModalities', modalities=('thermal',)),
    dict(type='ResizeModalities', scale=(576, 576), mode='stretch'),
    dict(type='LoadAnnotations', with_bbox=True),
    dict(type='PackAudioVisualInputs'),
]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))
