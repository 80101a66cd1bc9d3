# The teacher of jet-coloured depth images. They go to 0..1 in OpenCV's order of colours, as the authors'
# published weights expect.
_base_ = './efficientdet_d2_mavd_rgb.py'

model = dict(
    data_preprocessor=dict(
        modality='depth',
        modalities=dict(_delete_=True, depth=dict(mean=[0.0, 0.0, 0.0], std=[255.0, 255.0, 255.0])),
    ),
    backbone=dict(in_channels=3),
)

train_pipeline = [
    dict(type='LoadVisualModalities', modalities=('depth',)),
    dict(type='LoadAnnotations', with_bbox=True),
    _base_.resize,
    dict(type='PackAudioVisualInputs'),
]
test_pipeline = [
    dict(type='LoadVisualModalities', modalities=('depth',)),
    _base_.resize,
    dict(type='LoadAnnotations', with_bbox=True),
    dict(type='PackAudioVisualInputs'),
]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))
