# AVD with thermal images (Table 2).
_base_ = './faster_rcnn_r50_fpn_mavd.py'

model = dict(
    data_preprocessor=dict(modalities=dict(_delete_=True, thermal=dict(mean=[116.0], std=[57.0]))),
    visual_streams=dict(
        _delete_=True,
        thermal=dict(
            backbone=dict(
                type='AudioResNet',
                depth=50,
                in_channels=1,
                num_stages=4,
                out_indices=(0, 1, 2, 3),
                norm_cfg=dict(type='BN', requires_grad=True),
                norm_eval=False,
                style='pytorch',
            ),
            neck=dict(type='FPN', in_channels=[256, 512, 1024, 2048], out_channels=256, num_outs=5),
        ),
    ),
)
train_pipeline = [
    dict(type='LoadMultichannelAudio'),
    dict(type='LoadVisualModalities', modalities=('thermal',)),
    dict(type='LoadAnnotations', with_bbox=True),
    dict(type='ResizeModalities', scale=(576, 576), mode='stretch'),
    dict(type='PackAudioVisualInputs'),
]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
