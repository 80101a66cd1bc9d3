# AVD with thermal images (Table 2).
_base_ = './faster_rcnn_r50_fpn_mavd.py'

model = dict(
    data_preprocessor=dict(modalities=dict(_delete_=True, thermal=dict(mean=[116.0], std=[57.0]))),
    visual_streams=dict(
        _delete_=True,
        thermal=dict(
            backbone=dict(_base_.model.visual_streams.rgb.backbone, type='AudioResNet', in_channels=1),
            neck=_base_.model.visual_streams.rgb.neck,
        ),
    ),
)
train_pipeline = [
    _base_.train_pipeline[0],
    dict(_base_.train_pipeline[1], modalities=('thermal',)),
    *_base_.train_pipeline[2:],
]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
