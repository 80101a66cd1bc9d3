# MTA loss on the AVD detector's backbone, with a depth teacher (AVD, Table 2).
_base_ = './faster_rcnn_r50_fpn_mavd_mta_rtd.py'

model = dict(teachers=dict(_delete_=True, depth=_base_.model.teachers.depth))

train_pipeline = [
    _base_.train_pipeline[0],
    dict(_base_.train_pipeline[1], modalities=('depth',)),
    *_base_.train_pipeline[2:],
]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
