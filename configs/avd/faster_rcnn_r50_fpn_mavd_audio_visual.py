# AVD tested on sound and RGB together (Table 4).
_base_ = './faster_rcnn_r50_fpn_mavd.py'

model = dict(test_modalities='audio_visual')

test_pipeline = [
    dict(type='LoadMultichannelAudio'),
    dict(type='LoadVisualModalities', modalities=('rgb',)),
    dict(type='ResizeModalities', scale=(576, 576), mode='stretch'),
    dict(type='LoadAnnotations', with_bbox=True),
    dict(type='PackAudioVisualInputs'),
]
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))
