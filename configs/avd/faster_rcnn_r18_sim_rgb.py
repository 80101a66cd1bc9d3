# RGB alone on simulated data, small enough for a CPU: the labeller and the ceiling.
_base_ = './faster_rcnn_r18_sim_audio.py'

model = dict(
    data_preprocessor=dict(
        modality='rgb',
        modalities=dict(
            rgb=dict(mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375], bgr_to_rgb=True),
        ),
    ),
    backbone=dict(type='ResNet', in_channels=3),
    neck=dict(type='FPN'),
)

# images are loaded instead of sound
train_pipeline = [dict(type='LoadVisualModalities', modalities=('rgb',)), *_base_.train_pipeline[1:]]
test_pipeline = [dict(type='LoadVisualModalities', modalities=('rgb',)), *_base_.test_pipeline[1:]]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))
