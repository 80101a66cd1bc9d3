# MAVD with its three visual modalities, as MM-DistillNet takes it: images keep their proportions and lie in
# the top left of 768 x 768, the spectrogram is stretched. Tests are by sound: no image is read.
_base_ = './mavd.py'

# The filling of RGB images (BGR) is ImageNet's mean: 0 after normalization.
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

train_dataloader = dict(batch_size=2, dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(batch_size=2, dataset=dict(pipeline=test_pipeline))
test_dataloader = dict(batch_size=2, dataset=dict(pipeline=test_pipeline))
