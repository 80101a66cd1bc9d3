# RGB and thermal teachers (Table 4, M3).
_base_ = './distillnet_effdet_d2_mavd.py'

model = dict(
    teachers=dict(_delete_=True, rgb=_base_.model.teachers.rgb, thermal=_base_.model.teachers.thermal)
)

train_pipeline = [
    _base_.train_pipeline[0],
    dict(_base_.train_pipeline[1], modalities=('rgb', 'thermal')),
    *_base_.train_pipeline[2:],
]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
