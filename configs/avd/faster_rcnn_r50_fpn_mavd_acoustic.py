# Sound alone by acoustic images, at the paper's size; not in the papers. MAVD's geometry is not published:
# data/mavd/rig.json is yours to measure (docs/rig.md).
_base_ = ['./faster_rcnn_r50_fpn_mavd_no_avd.py', '../_base_/acoustic_input.py']

model = dict(
    data_preprocessor=_base_.acoustic_input,
    backbone=_base_.acoustic_backbone,
)
