# MTA loss on the AVD detector's backbone, with an RGB teacher (AVD, Table 2).
_base_ = './faster_rcnn_r50_fpn_mavd_mta_rtd.py'

model = dict(teachers=dict(_delete_=True, rgb=_base_.model.teachers.rgb))

train_pipeline = [
    _base_.train_pipeline[0],
    dict(_base_.train_pipeline[1], modalities=('rgb',)),
    *_base_.train_pipeline[2:],
]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
