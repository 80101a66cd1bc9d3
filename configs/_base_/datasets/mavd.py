# MAVD with one visual modality; inputs of 576 x 576, as in the AVD paper.
# Tests are by sound: no image is read.
data_root = 'data/mavd/'

train_pipeline = [
    dict(type='LoadMultichannelAudio'),
    dict(type='LoadVisualModalities', modalities=('rgb',)),
    dict(type='LoadAnnotations', with_bbox=True),
    dict(type='ResizeModalities', scale=(576, 576), mode='stretch'),
    dict(type='PackAudioVisualInputs'),
]
test_pipeline = [
    dict(type='LoadMultichannelAudio'),
    dict(type='ResizeModalities', scale=(576, 576), mode='stretch'),
    # after the resizing: the metrics expect the boxes in pixels of the original image
    dict(type='LoadAnnotations', with_bbox=True),
    dict(type='PackAudioVisualInputs'),
]

train_dataloader = dict(
    batch_size=8,
    num_workers=4,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(
        type='MAVDDataset',
        data_root=data_root,
        ann_file='annotations/train.json',
        pipeline=train_pipeline,
    ),
)
val_dataloader = dict(
    batch_size=8,
    num_workers=4,
    persistent_workers=True,
    drop_last=False,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='MAVDDataset',
        data_root=data_root,
        ann_file='annotations/val.json',
        test_mode=True,
        pipeline=test_pipeline,
    ),
)
test_dataloader = dict(
    val_dataloader, dataset=dict(val_dataloader['dataset'], ann_file='annotations/test.json')
)

val_evaluator = [dict(type='MAVDMetric', ann_file=data_root + 'annotations/val.json', metric='bbox')]
test_evaluator = [dict(type='MAVDMetric', ann_file=data_root + 'annotations/test.json', metric='bbox')]
