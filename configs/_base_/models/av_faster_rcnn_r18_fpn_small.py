# The small AVD detector. The light weights: at 1 the group loss costs box regression (docs/avd.md).
_base_ = './audio_faster_rcnn_r18_fpn_small.py'

model = dict(
    type='AudioVisualFasterRCNN',
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
                depth=18,
                stem_channels=32,
                base_channels=32,
                num_stages=4,
                out_indices=(1, 2, 3),
                norm_cfg=dict(type='BN', requires_grad=True),
                norm_eval=False,
                style='pytorch',
            ),
            neck=dict(type='FPN', in_channels=[64, 128, 256], out_channels=96, num_outs=4),
        ),
    ),
    roi_head=dict(
        type='AudioVisualRoIHead',
        fusion=dict(type='ScoreWeightedFusion', use_weights=True, detach_weights=True, init='sum'),
        loss_avd=dict(type='AVDLoss', temperature=0.1, gcl_weight=0.1, avkd_weight=0.1),
        avd_loss_weight=1.0,
        visual_loss_weight=1.0,
        scope='image',
    ),
)
