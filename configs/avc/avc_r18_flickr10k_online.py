# Teachers on line: they see the augmented image, and their embeddings are not stored. Their weights:
# --cfg-options model.teachers.visual.checkpoint=FILE model.teachers.audio.checkpoint=FILE
_base_ = './avc_r18_flickr10k.py'

model = dict(teachers=_base_.teachers)
train_pipeline = [
    *_base_.train_pipeline[:-2],
    dict(type='LoadAudioSegment', sample_rate=32000, duration=3.0, key='teacher_waveform'),
    _base_.train_pipeline[-1],
]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
