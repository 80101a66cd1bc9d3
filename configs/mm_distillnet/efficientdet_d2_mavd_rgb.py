# The RGB teacher. Images are normalized as the authors' published weights expect.
_base_ = [
    '../_base_/models/efficientdet_d2.py',
    '../_base_/datasets/mavd_letterbox.py',
    '../_base_/schedules/mm_distillnet_50e.py',
    '../_base_/default_runtime.py',
]

model = dict(
    data_preprocessor=dict(
        modality='rgb',
        modalities=dict(
            rgb=dict(mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375], bgr_to_rgb=True),
        ),
    ),
    backbone=dict(in_channels=3),
)

# images are loaded instead of sound
train_pipeline = [dict(_base_.train_pipeline[1], modalities=('rgb',)), *_base_.train_pipeline[2:]]
test_pipeline = [dict(type='LoadVisualModalities', modalities=('rgb',)), *_base_.test_pipeline[1:]]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))
