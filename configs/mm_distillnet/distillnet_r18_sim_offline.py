# Labels from the file that tools/dataset_converters/mavd_pseudo_labels.py has written: the teachers only give
# features.
_base_ = './distillnet_r18_sim.py'

model = dict(pseudo_labels=None)

train_pipeline = [
    dict(type='LoadMultichannelAudio'),
    dict(type='LoadVisualModalities', modalities=('rgb', 'thermal', 'depth')),
    dict(type='LoadAnnotations', with_bbox=True),
    dict(type='ResizeModalities', scale=(96, 96), mode='stretch'),
    dict(type='MirrorFlip', prob=0.5),
    dict(type='PackAudioVisualInputs'),
]
train_dataloader = dict(
    dataset=dict(ann_file='annotations/pseudo_train.json', split_file=None, pipeline=train_pipeline)
)
