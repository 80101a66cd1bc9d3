# AVD with jet-colored depth images (Table 2).
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
    _base_.train_pipeline[0],
    dict(_base_.train_pipeline[1], modalities=('depth',)),
    *_base_.train_pipeline[2:],
]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
