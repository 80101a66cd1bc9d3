# A depth teacher (2M-DistillNet Depth of Table 1, as its caption says).
_base_ = './distillnet_effdet_d2_mavd.py'

model = dict(teachers=dict(_delete_=True, depth=_base_.model.teachers.depth))

train_pipeline = [
    _base_.train_pipeline[0],
    dict(_base_.train_pipeline[1], modalities=('depth',)),
    *_base_.train_pipeline[2:],
]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
