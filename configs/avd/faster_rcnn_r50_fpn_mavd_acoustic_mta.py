# The MTA loss of an RGB teacher on acoustic images, at the paper's size; not in the papers. See
# faster_rcnn_r50_fpn_mavd_acoustic.py.
_base_ = ['./faster_rcnn_r50_fpn_mavd_mta.py', '../_base_/acoustic_input.py']

model = dict(
    data_preprocessor=_base_.acoustic_input,
    student=dict(backbone=_base_.acoustic_backbone),
)
