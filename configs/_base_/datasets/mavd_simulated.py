# What tools/dataset_converters/simulate_mavd.py writes, at the small networks' 96 x 96. Trained with
# mirrored scenes; tests are by sound: no image is read.
_base_ = './mavd.py'

data_root = 'data/mavd_simulated/'

train_pipeline = [
    dict(type='LoadMultichannelAudio'),
    dict(type='LoadVisualModalities', modalities=('rgb',)),
    dict(type='LoadAnnotations', with_bbox=True),
    dict(type='ResizeModalities', scale=(96, 96), mode='stretch'),
    dict(type='MirrorFlip', prob=0.5),
    dict(type='PackAudioVisualInputs'),
]
test_pipeline = [
    dict(type='LoadMultichannelAudio'),
    dict(type='ResizeModalities', scale=(96, 96), mode='stretch'),
    # after the resizing: the metrics expect the boxes in pixels of the original image
    dict(type='LoadAnnotations', with_bbox=True),
    dict(type='PackAudioVisualInputs'),
]

train_dataloader = dict(
    num_workers=1,
    sampler=dict(type='InfiniteSampler'),
    dataset=dict(data_root=data_root, pipeline=train_pipeline),
)
val_dataloader = dict(num_workers=1, dataset=dict(data_root=data_root, pipeline=test_pipeline))
test_dataloader = dict(num_workers=1, dataset=dict(data_root=data_root, pipeline=test_pipeline))

val_evaluator = [dict(type='MAVDMetric', ann_file=data_root + 'annotations/val.json', metric='bbox')]
test_evaluator = [dict(type='MAVDMetric', ann_file=data_root + 'annotations/test.json', metric='bbox')]
