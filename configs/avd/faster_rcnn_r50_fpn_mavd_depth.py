# AVD with jet-coloured depth images (Table 2).
_base_ = './faster_rcnn_r50_fpn_mavd.py'

model = dict(
    data_preprocessor=dict(
        modalities=dict(
            _delete_=True,
            depth=_base_.model.data_preprocessor.modalities.rgb,
        ),
    ),
    visual_streams=dict(
        _delete_=True,
        depth=_base_.model.visual_streams.rgb,
    ),
)
train_pipeline = [
    dict(type='LoadMultichannelAudio'),
    dict(type='LoadVisualModalities', modalities=('depth',)),
    dict(type='LoadAnnotations', with_bbox=True),
    dict(type='ResizeModalities', scale=(576, 576), mode='stretch'),
    dict(type='PackAudioVisualInputs'),
]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
