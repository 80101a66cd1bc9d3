# Faster R-CNN on RGB alone (Table 4): what sight can do.
_base_ = './faster_rcnn_r50_fpn_mavd_no_avd.py'

model = dict(
    data_preprocessor=dict(
        modality='rgb',
        modalities=dict(
            rgb=dict(mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375], bgr_to_rgb=True),
        ),
    ),
    backbone=dict(type='ResNet', in_channels=3),
)

# images are loaded instead of sound
train_pipeline = [dict(type='LoadVisualModalities', modalities=('rgb',)), *_base_.train_pipeline[1:]]
test_pipeline = [dict(type='LoadVisualModalities', modalities=('rgb',)), *_base_.test_pipeline[1:]]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))
