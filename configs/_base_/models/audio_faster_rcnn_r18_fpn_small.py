# A Faster R-CNN that trains in minutes on a CPU: ResNet-18 of 32 channels, 96 x 96 inputs, from scratch.
# Anchors are small and tall, as vehicles are once 1520 x 650 pixels are squeezed into a square: half of the
# simulated motorcycles are below 7 pixels wide, and 3 times as high.
model = dict(
    type='FasterRCNN',
    data_preprocessor=dict(
        type='AudioVisualDataPreprocessor',
        # One reference for all microphones keeps their level differences, which carry direction.
        log_mel=dict(sample_rate=44100, n_fft=1024, hop_length=256, n_mels=80, reference='clip'),
        audio_size=(96, 96),
        db_range=(-80.0, 0.0),
        modality='audio',
        pad_size_divisor=32,
    ),
    backbone=dict(
        type='AudioResNet',
        depth=18,
        in_channels=8,
        stem_channels=32,
        base_channels=32,
        num_stages=4,
        out_indices=(1, 2, 3),
        norm_cfg=dict(type='BN', requires_grad=True),
        norm_eval=False,
        style='pytorch',
    ),
    # Rows and columns of a spectrogram are no places in the image: each cell is told its place and the clip.
    neck=dict(type='ContextFPN', in_channels=[64, 128, 256], out_channels=96, num_outs=4),
    rpn_head=dict(
        type='RPNHead',
        in_channels=96,
        feat_channels=96,
        anchor_generator=dict(
            type='AnchorGenerator', scales=[1.0, 1.5, 3.0], ratios=[1.0, 2.0, 4.0], strides=[8, 16, 32, 64]
        ),
        bbox_coder=dict(
            type='DeltaXYWHBBoxCoder', target_means=[0.0, 0.0, 0.0, 0.0], target_stds=[1.0, 1.0, 1.0, 1.0]
        ),
        loss_cls=dict(type='CrossEntropyLoss', use_sigmoid=True, loss_weight=1.0),
        loss_bbox=dict(type='L1Loss', loss_weight=1.0),
    ),
    roi_head=dict(
        type='StandardRoIHead',
        bbox_roi_extractor=dict(
            type='SingleRoIExtractor',
            # torchvision's kernel gives the same values, on the CPU in less time. RoIs are a few cells wide:
            # one sample in each of 5 x 5 bins is enough.
            roi_layer=dict(type='RoIAlign', output_size=5, sampling_ratio=1, use_torchvision=True),
            out_channels=96,
            featmap_strides=[8, 16, 32],
        ),
        bbox_head=dict(
            type='Shared2FCBBoxHead',
            in_channels=96,
            fc_out_channels=256,
            roi_feat_size=5,
            num_classes=1,
            bbox_coder=dict(
                type='DeltaXYWHBBoxCoder', target_means=[0.0, 0.0, 0.0, 0.0], target_stds=[0.1, 0.1, 0.2, 0.2]
            ),
            reg_class_agnostic=False,
            loss_cls=dict(type='CrossEntropyLoss', use_sigmoid=False, loss_weight=1.0),
            loss_bbox=dict(type='L1Loss', loss_weight=1.0),
        ),
    ),
    train_cfg=dict(
        rpn=dict(
            assigner=dict(
                type='MaxIoUAssigner',
                pos_iou_thr=0.7,
                neg_iou_thr=0.3,
                min_pos_iou=0.3,
                match_low_quality=True,
                ignore_iof_thr=-1,
            ),
            sampler=dict(
                type='RandomSampler', num=128, pos_fraction=0.5, neg_pos_ub=-1, add_gt_as_proposals=False
            ),
            allowed_border=-1,
            pos_weight=-1,
            debug=False,
        ),
        rpn_proposal=dict(
            nms_pre=200, max_per_img=100, nms=dict(type='nms', iou_threshold=0.7), min_bbox_size=0
        ),
        rcnn=dict(
            assigner=dict(
                type='MaxIoUAssigner',
                pos_iou_thr=0.5,
                neg_iou_thr=0.5,
                min_pos_iou=0.5,
                match_low_quality=False,
                ignore_iof_thr=-1,
            ),
            sampler=dict(
                type='RandomSampler', num=64, pos_fraction=0.25, neg_pos_ub=-1, add_gt_as_proposals=True
            ),
            pos_weight=-1,
            debug=False,
        ),
    ),
    test_cfg=dict(
        rpn=dict(nms_pre=200, max_per_img=100, nms=dict(type='nms', iou_threshold=0.7), min_bbox_size=0),
        rcnn=dict(score_thr=0.05, nms=dict(type='nms', iou_threshold=0.5), max_per_img=20),
    ),
)
