# An RGB teacher and a student that reads depth images instead of sound (2M-DistillNet Depth of Table 1, as
# the text says).
_base_ = './distillnet_effdet_d2_mavd.py'

model = dict(
    student_modality='depth',
    student=dict(backbone=dict(in_channels=3)),
    teachers=dict(_delete_=True, rgb=_base_.model.teachers.rgb),
)

# no sound is loaded
train_pipeline = [dict(_base_.train_pipeline[1], modalities=('rgb', 'depth')), *_base_.train_pipeline[2:]]
test_pipeline = [dict(type='LoadVisualModalities', modalities=('depth',)), *_base_.test_pipeline[1:]]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))
