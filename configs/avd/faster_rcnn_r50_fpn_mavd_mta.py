# MTA loss on the AVD detector's backbone, with an RGB teacher (AVD, Table 2).
_base_ = './faster_rcnn_r50_fpn_mavd_mta_rtd.py'

model = dict(teachers=dict(_delete_=True, rgb=_base_.model.teachers.rgb))

train_pipeline = [
    dict(type='LoadMultichannelAudio'),
    dict(type='LoadVisualModalities', modalities=('rgb',)),
    dict(type='LoadAnnotations', with_bbox=True),
    dict(type='ResizeModalities', scale=(576, 576), mode='stretch'),
    dict(type='PackAudioVisualInputs'),
]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
