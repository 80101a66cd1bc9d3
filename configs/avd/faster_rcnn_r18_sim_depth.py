# Jet-coloured depth images alone on simulated data, small enough for a CPU: a teacher.
_base_ = './faster_rcnn_r18_sim_rgb.py'

model = dict(
    data_preprocessor=dict(
        modality='depth', modalities=dict(_delete_=True, depth=_base_.model.data_preprocessor.modalities.rgb)
    ),
)

train_pipeline = [
    dict(type='LoadVisualModalities', modalities=('depth',)),
    dict(type='LoadAnnotations', with_bbox=True),
    dict(type='ResizeModalities', scale=(96, 96), mode='stretch'),
    dict(type='MirrorFlip', prob=0.5),
    dict(type='PackAudioVisualInputs'),
]
test_pipeline = [
    dict(type='LoadVisualModalities', modalities=('depth',)),
    dict(type='ResizeModalities', scale=(96, 96), mode='stretch'),
    dict(type='LoadAnnotations', with_bbox=True),
    dict(type='PackAudioVisualInputs'),
]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))
