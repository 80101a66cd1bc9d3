# AVD with RGB, thermal and depth images, a stream each (Table 1, R+T+D).
_base_ = './faster_rcnn_r50_fpn_mavd.py'

model = dict(
    data_preprocessor=dict(
        modalities=dict(
            thermal=dict(mean=[116.0], std=[57.0]),
            depth=dict(mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375], bgr_to_rgb=True),
        ),
    ),
    visual_streams=dict(
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
        depth=dict(
            backbone=dict(
                type='ResNet',
                depth=50,
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
    dict(type='LoadVisualModalities', modalities=('rgb', 'thermal', 'depth')),
    dict(type='LoadAnnotations', with_bbox=True),
    dict(type='ResizeModalities', scale=(576, 576), mode='stretch'),
    dict(type='PackAudioVisualInputs'),
]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
