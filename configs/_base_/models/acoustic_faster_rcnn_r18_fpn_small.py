# The small Faster R-CNN on acoustic images of the simulated array.
_base_ = ['./audio_faster_rcnn_r18_fpn_small.py', '../acoustic_input.py', '../rigs/simulated.py']

model = dict(
    data_preprocessor=dict(_base_.acoustic_input, acoustic_image=dict(rig=_base_.rig)),
    backbone=dict(in_channels=_base_.acoustic_channels),
)
