# A depth teacher (2M-DistillNet Depth of Table 1, as its caption says).
_base_ = './distillnet_effdet_d2_mavd.py'

model = dict(teachers=dict(_delete_=True, depth=_base_.model.teachers.depth))

train_pipeline = [
    dict(type='LoadMultichannelAudio'),
    dict(type='LoadVisualModalities', modalities=('depth',)),
    {{_base_.resize}},
    dict(type='PackAudioVisualInputs'),
]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
