# AVC trained on 10,000 pairs of Flickr-SoundNet with the visual teacher alone (Table 2: cIoU/AUC 71.6/57.9).
_base_ = './avc_r18_flickr10k.py'

model = dict(audio_hint=None)
train_pipeline = [
    *_base_.train_pipeline[:-2],
    dict(_base_.train_pipeline[-2], names=('visual',)),
    _base_.train_pipeline[-1],
]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
