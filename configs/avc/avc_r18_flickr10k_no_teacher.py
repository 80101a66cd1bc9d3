# AVC trained on 10,000 pairs of Flickr-SoundNet without teachers (Table 2, base: cIoU/AUC 67.4/56.3).
_base_ = './avc_r18_flickr10k.py'

model = dict(audio_hint=None, visual_hint=None)
train_pipeline = [*_base_.train_pipeline[:-2], _base_.train_pipeline[-1]]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
