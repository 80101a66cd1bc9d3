# AVD on simulated data with acoustic images, whose pyramid shares the axes of the boxes.
_base_ = ['./av_faster_rcnn_r18_sim.py', '../_base_/acoustic_input.py', '../_base_/rigs/simulated.py']

model = dict(
    data_preprocessor=dict(
        _base_.acoustic_input, acoustic_image=dict(_base_.acoustic_input.acoustic_image, rig=_base_.rig)
    ),
    backbone=dict(_base_.acoustic_backbone, stem_kernel=3),
)
