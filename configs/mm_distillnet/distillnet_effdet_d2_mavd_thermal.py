# A thermal teacher (2M-DistillNet Thermal of Table 1, as its caption says).
_base_ = './distillnet_effdet_d2_mavd.py'

model = dict(teachers=dict(_delete_=True, thermal=_base_.model.teachers.thermal))

train_pipeline = [
    dict(type='LoadMultichannelAudio'),
    dict(type='LoadVisualModalities', modalities=('thermal',)),
    {{_base_.resize}},
    dict(type='PackAudioVisualInputs'),
]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
