# RGB and thermal teachers (Table 4, M3).
_base_ = './distillnet_effdet_d2_mavd.py'

model = dict(
    teachers=dict(_delete_=True, rgb=_base_.model.teachers.rgb, thermal=_base_.model.teachers.thermal)
)

train_pipeline = [
    dict(type='LoadMultichannelAudio'),
    dict(type='LoadVisualModalities', modalities=('rgb', 'thermal')),
    {{_base_.resize}},
    dict(type='PackAudioVisualInputs'),
]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
