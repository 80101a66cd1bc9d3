# What a simulated sound is of: its backbone is the audio teacher of ../avc_r18_sim.py.
_base_ = './classifier_r18_sim_visual.py'

model = dict(
    data_preprocessor=dict(modality='spectrogram'),
    backbone=dict(_delete_=True, **dict(_base_.teachers.audio, init_cfg=None)),
)

train_pipeline = [dict(_base_.teacher_pipeline[2]), dict(type='mmpretrain.PackInputs', input_key='audio')]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=train_pipeline))
test_dataloader = dict(dataset=dict(pipeline=train_pipeline))
