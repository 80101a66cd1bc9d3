# An RGB teacher (Table 1, 2M-DistillNet RGB; Table 2, MTA loss with RGB; Table 4, M1).
_base_ = './distillnet_effdet_d2_mavd.py'

model = dict(teachers=dict(_delete_=True, rgb=_base_.model.teachers.rgb))

train_pipeline = [
    _base_.train_pipeline[0],
    dict(_base_.train_pipeline[1], modalities=('rgb',)),
    *_base_.train_pipeline[2:],
]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
