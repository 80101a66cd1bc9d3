# Thermal images alone on simulated data, small enough for a CPU: a teacher.
_base_ = './faster_rcnn_r18_sim_rgb.py'

model = dict(
    data_preprocessor=dict(
        modality='thermal', modalities=dict(_delete_=True, thermal=dict(mean=[116.0], std=[57.0]))
    ),
    backbone=dict(in_channels=1),
)

train_pipeline = [
    dict(type='LoadVisualModalities', modalities=('thermal',)),
    dict(type='LoadAnnotations', with_bbox=True),
    dict(type='ResizeModalities', scale=(96, 96), mode='stretch'),
    dict(type='MirrorFlip', prob=0.5),
    dict(type='PackAudioVisualInputs'),
]
test_pipeline = [
    dict(type='LoadVisualModalities', modalities=('thermal',)),
    dict(type='ResizeModalities', scale=(96, 96), mode='stretch'),
    dict(type='LoadAnnotations', with_bbox=True),
    dict(type='PackAudioVisualInputs'),
]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))
