# Depth and thermal teachers (Table 4, M4).
_base_ = './distillnet_effdet_d2_mavd.py'

model = dict(
    teachers=dict(_delete_=True, thermal=_base_.model.teachers.thermal, depth=_base_.model.teachers.depth)
)

train_pipeline = [
    dict(type='LoadMultichannelAudio'),
    dict(type='LoadVisualModalities', modalities=('thermal', 'depth')),
    {{_base_.resize}},
    dict(type='PackAudioVisualInputs'),
]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
