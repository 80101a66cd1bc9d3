# MM-DistillNet with three teachers and a student on acoustic images; not in the papers. See
# ../avd/faster_rcnn_r50_fpn_mavd_acoustic.py.
_base_ = ['./distillnet_effdet_d2_mavd.py', '../_base_/acoustic_input.py']

model = dict(
    data_preprocessor=_base_.acoustic_input,
    student=dict(backbone=_base_.acoustic_backbone),
)
