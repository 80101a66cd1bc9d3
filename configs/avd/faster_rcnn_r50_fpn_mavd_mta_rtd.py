# MTA loss on the AVD detector's backbone, with RGB, thermal and depth teachers (AVD, Table 2, R+T+D).
_base_ = [
    '../_base_/models/distillnet_faster_rcnn_r50_fpn.py',
    '../_base_/datasets/mavd.py',
    '../_base_/schedules/avd_30e.py',
    '../_base_/default_runtime.py',
]

train_pipeline = [
    dict(type='LoadMultichannelAudio'),
    dict(type='LoadVisualModalities', modalities=('rgb', 'thermal', 'depth')),
    dict(type='LoadAnnotations', with_bbox=True),
    dict(type='ResizeModalities', scale=(576, 576), mode='stretch'),
    dict(type='PackAudioVisualInputs'),
]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
