# RGB and depth teachers (Table 4, M2).
_base_ = './distillnet_effdet_d2_mavd.py'

model = dict(teachers=dict(_delete_=True, rgb=_base_.model.teachers.rgb, depth=_base_.model.teachers.depth))

train_pipeline = [
    dict(type='LoadMultichannelAudio'),
    dict(type='LoadVisualModalities', modalities=('rgb', 'depth')),
    {{_base_.resize}},
    dict(type='PackAudioVisualInputs'),
]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
