# What tools/dataset_converters/simulate_clips.py --preset small writes: images of 96 x 96, 1 s of sound.
train_data_root = 'data/clips_simulated/'
teacher_store = 'data/clips_simulated/teachers'

train_pipeline = [
    dict(type='LoadClipFrame'),
    dict(type='Resize', scale=(105, 105), keep_ratio=False, interpolation='bicubic', backend='pillow'),
    dict(type='RandomCrop', crop_size=(96, 96)),
    dict(type='RandomFlip', prob=0.5),
    dict(type='LoadAudioSegment', sample_rate=11025, duration=1.0),
    dict(type='LoadTeacherEmbeddings', store=teacher_store, names=('audio', 'visual')),
    dict(type='PackLocalizationInputs'),
]
test_pipeline = [
    dict(type='LoadClipFrame'),
    dict(type='Resize', scale=(96, 96), keep_ratio=False, interpolation='bicubic', backend='pillow'),
    dict(type='LoadAudioSegment', sample_rate=11025, duration=1.0),
    dict(type='PackLocalizationInputs'),
]

train_dataloader = dict(
    batch_size=32,
    num_workers=1,
    persistent_workers=True,
    drop_last=True,
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(
        type='VGGSoundDataset', data_root=train_data_root, split_file='train.txt', pipeline=train_pipeline
    ),
)
val_dataloader = dict(
    batch_size=32,
    num_workers=1,
    persistent_workers=True,
    drop_last=False,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='VGGSSDataset',
        data_root=train_data_root,
        ann_file='vggss.json',
        split_file='val.txt',
        test_mode=True,
        pipeline=test_pipeline,
    ),
)
test_dataloader = dict(val_dataloader, dataset=dict(val_dataloader['dataset'], split_file='test.txt'))

val_evaluator = [dict(type='CIoUMetric', protocol='median')]
test_evaluator = val_evaluator
