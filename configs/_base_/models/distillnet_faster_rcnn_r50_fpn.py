# MTA loss on the AVD detector's backbone: the audio Faster R-CNN of audio_faster_rcnn_r50_fpn.py, taught by
# those of configs/avd/faster_rcnn_r50_fpn_mavd_visual{,_thermal,_depth}.py.
# Their checkpoints: --cfg-options model.teachers.rgb.checkpoint=FILE ...
_base_ = './audio_faster_rcnn_r50_fpn.py'

model = dict(
    _delete_=True,
    type='MultiTeacherDistiller',
    init_cfg=dict(_base_.model.init_cfg, submodules={'student.backbone': ''}),
    data_preprocessor=dict(
        _base_.model.data_preprocessor,
        modality=None,
        modalities=dict(
            rgb=dict(mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375], bgr_to_rgb=True),
            thermal=dict(mean=[116.0], std=[57.0]),
            depth=dict(mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375], bgr_to_rgb=True),
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
                backbone=dict(_base_.model.backbone, type='ResNet', in_channels=3),
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
                backbone=dict(_base_.model.backbone, type='ResNet', in_channels=3),
            ),
        ),
    ),
    # The labels are the data set's, as for AVD.
    pseudo_labels=None,
    distill_losses=dict(
        mta=dict(
            student_tap='neck',
            teacher_tap='neck',
            # P3, P4 and P5; the first level of this pyramid is P2
            levels=(1, 2, 3),
            loss=dict(type='MTALoss', temperature=9.0, exponent=2.0, protocol='paper', loss_weight=0.5),
            weight=0.05,
        ),
    ),
    detection_weight=1.0,
    student_modality='audio',
    save_teachers=False,
)
