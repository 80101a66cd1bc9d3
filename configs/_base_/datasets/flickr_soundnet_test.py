# The 250 annotated pairs of Flickr-SoundNet.
test_data_root = 'data/flickr_soundnet/'

test_pipeline = [
    dict(type='LoadClipFrame'),
    dict(type='Resize', scale=(224, 224), keep_ratio=False, interpolation='bicubic', backend='pillow'),
    dict(type='LoadAudioSegment', sample_rate=22050, duration=3.0),
    dict(type='PackLocalizationInputs'),
]
test_dataloader = dict(
    batch_size=32,
    num_workers=4,
    persistent_workers=True,
    drop_last=False,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='FlickrSoundNetDataset',
        data_root=test_data_root,
        split_file='flickr_test.csv',
        test_mode=True,
        pipeline=test_pipeline,
    ),
)
val_dataloader = test_dataloader

test_evaluator = [dict(type='CIoUMetric', protocol='median')]
val_evaluator = test_evaluator
