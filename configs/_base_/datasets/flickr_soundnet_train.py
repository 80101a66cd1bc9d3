# 10,000 pairs of Flickr-SoundNet to train on, with stored embeddings of the teachers.
train_data_root = 'data/flickr_soundnet/'
teacher_store = 'data/flickr_soundnet/teachers'

train_pipeline = [
    dict(type='LoadClipFrame'),
    dict(type='Resize', scale=(246, 246), keep_ratio=False, interpolation='bicubic', backend='pillow'),
    dict(type='RandomCrop', crop_size=(224, 224)),
    dict(type='RandomFlip', prob=0.5),
    dict(type='LoadAudioSegment', sample_rate=22050, duration=3.0),
    dict(type='LoadTeacherEmbeddings', store=teacher_store, names=('audio', 'visual')),
    dict(type='PackLocalizationInputs'),
]
train_dataloader = dict(
    batch_size=128,
    num_workers=8,
    persistent_workers=True,
    drop_last=True,
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(
        type='FlickrSoundNetDataset',
        annotated=False,
        data_root=train_data_root,
        split_file='flickr_10k.txt',
        pipeline=train_pipeline,
    ),
)
