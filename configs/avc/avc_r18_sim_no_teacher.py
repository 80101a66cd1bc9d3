# The small AVC localizer without teachers.
_base_ = './avc_r18_sim.py'

model = dict(audio_hint=None, visual_hint=None)
train_pipeline = [*_base_.train_pipeline[:-2], _base_.train_pipeline[-1]]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
