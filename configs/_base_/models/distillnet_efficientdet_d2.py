# MM-DistillNet: the audio EfficientDet-D2 of efficientdet_d2.py, taught by those of
# configs/mm_distillnet/efficientdet_d2_mavd_{rgb,thermal,depth}.py.
# Their checkpoints: --cfg-options model.teachers.rgb.checkpoint=FILE ...
_base_ = './efficientdet_d2.py'

model = dict(
    _delete_=True,
    type='MultiTeacherDistiller',
    init_cfg=dict(_base_.model.init_cfg, submodules={'student.backbone': 'backbone'}),
    data_preprocessor=dict(
        _base_.model.data_preprocessor,
        modality=None,
        modalities=dict(
            rgb=dict(mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375], bgr_to_rgb=True),
            thermal=dict(mean=[0.0], std=[255.0]),
            depth=dict(mean=[0.0, 0.0, 0.0], std=[255.0, 255.0, 255.0]),
        ),
    ),
    student=dict(_base_.model, data_preprocessor=None, init_cfg=None),
    teachers=dict(
        rgb=dict(
            checkpoint=None,
            model=dict(
                _base_.model,
                data_preprocessor=None,
                init_cfg=None,
                backbone=dict(_base_.model.backbone, in_channels=3),
            ),
        ),
        thermal=dict(
            checkpoint=None,
            model=dict(
                _base_.model,
                data_preprocessor=None,
                init_cfg=None,
                backbone=dict(_base_.model.backbone, in_channels=1),
            ),
        ),
        depth=dict(
            checkpoint=None,
            model=dict(
                _base_.model,
                data_preprocessor=None,
                init_cfg=None,
                backbone=dict(_base_.model.backbone, in_channels=3),
            ),
        ),
    ),
    pseudo_labels=dict(score_thr=0.3, nms_iou=0.5, min_size=1.0),
    # beta = 0.5 in the loss, omega = 0.05 outside
    distill_losses=dict(
        mta=dict(
            student_tap='neck',
            teacher_tap='neck',
            levels=(0, 1, 2),
            loss=dict(type='MTALoss', temperature=9.0, exponent=2.0, protocol='paper', loss_weight=0.5),
            weight=0.05,
        ),
    ),
    # delta
    detection_weight=1.0,
    student_modality='audio',
    save_teachers=False,
)
