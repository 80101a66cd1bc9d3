# MTA loss on the AVD detector's backbone, with a depth teacher (AVD, Table 2).
_base_ = './faster_rcnn_r50_fpn_mavd_mta_rtd.py'

model = dict(teachers=dict(_delete_=True, depth=_base_.model.teachers.depth))

train_pipeline = [
    dict(type='LoadMultichannelAudio'),
    dict(type='LoadVisualModalities', modalities=('depth',)),
    dict(type='LoadAnnotations', with_bbox=True),
    dict(type='ResizeModalities', scale=(576, 576), mode='stretch'),
    dict(type='PackAudioVisualInputs'),
]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
