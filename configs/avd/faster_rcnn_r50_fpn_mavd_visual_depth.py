# Faster R-CNN on jet-coloured depth images alone: a teacher.
_base_ = './faster_rcnn_r50_fpn_mavd_visual.py'

model = dict(
    data_preprocessor=dict(
        modality='depth', modalities=dict(_delete_=True, depth=_base_.model.data_preprocessor.modalities.rgb)
    ),
)

train_pipeline = [
    dict(type='LoadVisualModalities', modalities=('depth',)),
    dict(type='LoadAnnotations', with_bbox=True),
    dict(type='ResizeModalities', scale=(576, 576), mode='stretch'),
    dict(type='PackAudioVisualInputs'),
]
test_pipeline = [
    dict(type='LoadVisualModalities', modalities=('depth',)),
    dict(type='ResizeModalities', scale=(576, 576), mode='stretch'),
    dict(type='LoadAnnotations', with_bbox=True),
    dict(type='PackAudioVisualInputs'),
]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))
