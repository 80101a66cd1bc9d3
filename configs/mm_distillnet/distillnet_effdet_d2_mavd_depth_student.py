# An RGB teacher and a student that reads depth images instead of sound (2M-DistillNet Depth of Table 1, as
# the text says).
_base_ = './distillnet_effdet_d2_mavd.py'

model = dict(
    student_modality='depth',
    student=dict(backbone=dict(in_channels=3)),
    teachers=dict(_delete_=True, rgb=_base_.model.teachers.rgb),
)

train_pipeline = [
    dict(type='LoadVisualModalities', modalities=('rgb', 'depth')),
    {{_base_.resize}},
    dict(type='PackAudioVisualInputs'),
]
test_pipeline = [
    dict(type='LoadVisualModalities', modalities=('depth',)),
    {{_base_.resize}},
    dict(type='LoadAnnotations', with_bbox=True),
    dict(type='PackAudioVisualInputs'),
]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))
