# AVD with RGB, thermal and depth images, a stream each (Table 1, R+T+D).
_base_ = './faster_rcnn_r50_fpn_mavd.py'

model = dict(
    data_preprocessor=dict(
        modalities=dict(
            thermal=dict(mean=[116.0], std=[57.0]),
            depth=_base_.model.data_preprocessor.modalities.rgb,
        ),
    ),
    visual_streams=dict(
        thermal=dict(
            backbone=dict(_base_.model.visual_streams.rgb.backbone, type='AudioResNet', in_channels=1),
            neck=_base_.model.visual_streams.rgb.neck,
        ),
        depth=_base_.model.visual_streams.rgb,
    ),
)
train_pipeline = [
    dict(type='LoadMultichannelAudio'),
    dict(type='LoadVisualModalities', modalities=('rgb', 'thermal', 'depth')),
    dict(type='LoadAnnotations', with_bbox=True),
    dict(type='ResizeModalities', scale=(576, 576), mode='stretch'),
    dict(type='PackAudioVisualInputs'),
]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
