# MAVD with its three visual modalities, as MM-DistillNet takes it: pictures keep their proportions and lie in
# the top left of 768 x 768, the spectrogram is stretched. Tests are by sound: no picture is read.
data_root = 'data/mavd/'
# The filling of RGB pictures (BGR) is ImageNet's mean: 0 after normalisation.
resize = dict(
    type='ResizeModalities', scale=(768, 768), mode='letterbox', pad_value=dict(rgb=(104, 116, 124))
)

train_pipeline = [
    dict(type='LoadMultichannelAudio'),
    dict(type='LoadVisualModalities', modalities=('rgb', 'thermal', 'depth')),
    dict(type='LoadAnnotations', with_bbox=True),
    resize,
    dict(type='PackAudioVisualInputs'),
]
test_pipeline = [
    dict(type='LoadMultichannelAudio'),
    resize,
    # after the resizing: the metrics expect the boxes in pixels of the original image
    dict(type='LoadAnnotations', with_bbox=True),
    dict(type='PackAudioVisualInputs'),
]

train_dataloader = dict(
    batch_size=2,
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
    batch_size=2,
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
