# AVE as published: VGG-19 maps, VGGish, a label for every second.
data_root = 'data/ave/'

pipeline = [dict(type='PackSegmentInputs', keys=('visual', 'audio'))]

train_dataloader = dict(
    batch_size=32,
    num_workers=4,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(
        type='AVEDataset', data_root=data_root, split='train', supervision='fully', pipeline=pipeline
    ),
)
val_dataloader = dict(
    batch_size=32,
    num_workers=4,
    persistent_workers=True,
    drop_last=False,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='AVEDataset',
        data_root=data_root,
        split='val',
        supervision='fully',
        test_mode=True,
        pipeline=pipeline,
    ),
)
test_dataloader = dict(val_dataloader, dataset=dict(val_dataloader['dataset'], split='test'))

val_evaluator = [dict(type='AVEMetric')]
test_evaluator = val_evaluator
