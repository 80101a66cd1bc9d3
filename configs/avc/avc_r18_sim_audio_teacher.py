# The small AVC localizer with the audio teacher alone.
_base_ = './avc_r18_sim.py'

model = dict(visual_hint=None)
train_pipeline = [
    *_base_.train_pipeline[:-2],
    dict(_base_.train_pipeline[-2], names=('audio',)),
    _base_.train_pipeline[-1],
]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
