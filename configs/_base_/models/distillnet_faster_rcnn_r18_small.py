# MM-DistillNet in small: the audio Faster R-CNN of audio_faster_rcnn_r18_fpn_small.py, taught by detectors
# that see, which are those of configs/avd/faster_rcnn_r18_sim_{rgb,thermal,depth}.py.
# Their checkpoints: --cfg-options model.teachers.rgb.checkpoint=FILE ...
_base_ = './audio_faster_rcnn_r18_fpn_small.py'

model = dict(
    _delete_=True,
    type='MultiTeacherDistiller',
    data_preprocessor=dict(
        _base_.model.data_preprocessor,
        modality=None,
        modalities=dict(
            rgb=dict(mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375], bgr_to_rgb=True),
            thermal=dict(mean=[116.0], std=[57.0]),
            depth=dict(mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375], bgr_to_rgb=True),
        ),
    ),
    student=dict(_base_.model, data_preprocessor=None),
    teachers=dict(
        rgb=dict(
            checkpoint=None,
            model=dict(
                _base_.model,
                data_preprocessor=None,
                backbone=dict(_base_.model.backbone, type='ResNet', in_channels=3),
                neck=dict(_base_.model.neck, type='FPN'),
            ),
        ),
        thermal=dict(
            checkpoint=None,
            model=dict(
                _base_.model,
                data_preprocessor=None,
                backbone=dict(_base_.model.backbone, type='ResNet', in_channels=1),
                neck=dict(_base_.model.neck, type='FPN'),
            ),
        ),
        depth=dict(
            checkpoint=None,
            model=dict(
                _base_.model,
                data_preprocessor=None,
                backbone=dict(_base_.model.backbone, type='ResNet', in_channels=3),
                neck=dict(_base_.model.neck, type='FPN'),
            ),
        ),
    ),
    pseudo_labels=dict(score_thr=0.3, nms_iou=0.5, min_size=1.0),
    distill_losses=dict(
        mta=dict(
            student_tap='neck',
            teacher_tap='neck',
            levels=(0, 1, 2),
            # As the paper has it (1e-5, a weight of 0.05) the loss would change nothing in a short training.
            loss=dict(
                type='MTALoss',
                temperature=9.0,
                exponent=2.0,
                protocol='paper',
                loss_weight=0.5,
                scale_by_temperature_squared=True,
            ),
            weight=1.0,
        ),
    ),
    detection_weight=1.0,
    student_modality='audio',
    save_teachers=False,
)
