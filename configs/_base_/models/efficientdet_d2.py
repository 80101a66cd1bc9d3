# EfficientDet-D2 on 8-channel spectrograms: the paper's student, and with other images its teachers.
# ImageNet weights come over the network. A local file: --cfg-options model.init_cfg.checkpoint=FILE.
# From scratch, without network: --cfg-options model.init_cfg=None.
model = dict(
    type='SingleStageDetector',
    init_cfg=dict(
        type='StrictPretrained',
        checkpoint='https://download.openmmlab.com/mmclassification/v0/efficientnet/'
        'efficientnet-b2_3rdparty_8xb32_in1k_20220119-ea374a30.pth',
        submodules={'backbone': 'backbone'},
        in_channels='adapt',
        drop=('layers.6.',),
    ),
    data_preprocessor=dict(
        type='AudioVisualDataPreprocessor',
        log_mel=dict(sample_rate=44100, n_fft=1024, hop_length=256, n_mels=80, reference='channel'),
        audio_size=(768, 768),
        db_range=(-80.0, 0.0),
        modality='audio',
        # so that each level of the pyramid has half the cells of the finer one
        pad_size_divisor=128,
    ),
    backbone=dict(
        type='AudioEfficientNet',
        arch='b2',
        in_channels=8,
        out_indices=(3, 4, 5),
        drop_path_rate=0.2,
        norm_cfg=dict(type='BN', eps=1e-3, momentum=0.01),
        act_cfg=dict(type='SiLU'),
        norm_eval=False,
    ),
    neck=dict(
        type='BiFPN',
        in_channels=[48, 120, 352],
        out_channels=112,
        num_cells=5,
        num_outs=5,
        eps=1e-4,
        norm_cfg=dict(type='BN', eps=1e-3, momentum=0.01),
    ),
    bbox_head=dict(
        type='EfficientDetHead',
        num_classes=1,
        in_channels=112,
        stacked_convs=3,
        norm_cfg=dict(type='BN', eps=1e-3, momentum=0.01),
        anchor_generator=dict(
            type='FactorAnchorGenerator',
            factors=[(1.0, 1.0), (1.4, 0.7), (0.7, 1.4)],
            octave_base_scale=4,
            scales_per_octave=3,
            strides=[8, 16, 32, 64, 128],
        ),
        bbox_coder=dict(
            type='DeltaXYWHBBoxCoder', target_means=[0.0, 0.0, 0.0, 0.0], target_stds=[1.0, 1.0, 1.0, 1.0]
        ),
        loss_cls=dict(type='FocalLoss', use_sigmoid=True, gamma=2.0, alpha=0.25, loss_weight=1.0),
        # mmdet sums over the four numbers of a box, the released program averages over them
        loss_bbox=dict(type='SmoothL1Loss', beta=1.0 / 9.0, loss_weight=0.25),
    ),
    train_cfg=dict(
        assigner=dict(
            type='MaxIoUAssigner',
            pos_iou_thr=0.5,
            neg_iou_thr=0.4,
            # the smallest anchors are 32 pixels wide: without it, far vehicles would have none
            min_pos_iou=0,
            match_low_quality=True,
            ignore_iof_thr=-1,
        ),
        sampler=dict(type='PseudoSampler'),
        allowed_border=-1,
        pos_weight=-1,
        debug=False,
    ),
    test_cfg=dict(
        nms_pre=1000,
        min_bbox_size=0,
        score_thr=0.05,
        nms=dict(type='nms', iou_threshold=0.5),
        max_per_img=100,
    ),
)
