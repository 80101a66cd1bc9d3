# The AVD detector: the audio-only one and a visual stream that training alone runs.
_base_ = './audio_faster_rcnn_r50_fpn.py'

model = dict(
    type='AudioVisualFasterRCNN',
    init_cfg=dict(submodules={'backbone': '', 'visual_streams.*.backbone': ''}),
    data_preprocessor=dict(
        modality=None,
        modalities=dict(
            rgb=dict(mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375], bgr_to_rgb=True),
        ),
    ),
    visual_streams=dict(
        rgb=dict(
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
    roi_head=dict(
        type='AudioVisualRoIHead',
        fusion=dict(type='ScoreWeightedFusion', use_weights=True, detach_weights=True, init='sum'),
        loss_avd=dict(
            type='AVDLoss',
            temperature=0.1,
            gcl_weight=1.0,
            avkd_weight=1.0,
            include_self=True,
            detach_target=True,
        ),
        avd_loss_weight=1.0,
        visual_loss_weight=1.0,
        scope='image',
    ),
)
