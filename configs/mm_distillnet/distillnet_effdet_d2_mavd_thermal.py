# A thermal teacher (2M-DistillNet Thermal of Table 1, as its caption says).
_base_ = './distillnet_effdet_d2_mavd.py'

model = dict(teachers=dict(_delete_=True, thermal=_base_.model.teachers.thermal))

train_pipeline = [
    _base_.train_pipeline[0],
    dict(_base_.train_pipeline[1], modalities=('thermal',)),
    *_base_.train_pipeline[2:],
]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
