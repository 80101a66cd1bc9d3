# MTA loss on the AVD detector's backbone, with RGB, thermal and depth teachers (AVD, Table 2, R+T+D).
_base_ = [
    '../_base_/models/distillnet_faster_rcnn_r50_fpn.py',
    '../_base_/datasets/mavd.py',
    '../_base_/schedules/avd_30e.py',
    '../_base_/default_runtime.py',
]

train_pipeline = [
    _base_.train_pipeline[0],
    dict(_base_.train_pipeline[1], modalities=('rgb', 'thermal', 'depth')),
    *_base_.train_pipeline[2:],
]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
