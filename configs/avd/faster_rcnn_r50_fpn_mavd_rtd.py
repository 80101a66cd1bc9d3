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
    _base_.train_pipeline[0],
    dict(_base_.train_pipeline[1], modalities=('rgb', 'thermal', 'depth')),
    *_base_.train_pipeline[2:],
]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
