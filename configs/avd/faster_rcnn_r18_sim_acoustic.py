# Sound alone on simulated data, by acoustic images of the simulated array instead of spectrograms.
_base_ = ['./faster_rcnn_r18_sim_audio.py', '../_base_/acoustic_input.py', '../_base_/rigs/simulated.py']

model = dict(
    data_preprocessor=dict(
        _base_.acoustic_input, acoustic_image=dict(_base_.acoustic_input.acoustic_image, rig=_base_.rig)
    ),
    backbone=dict(_base_.acoustic_backbone, stem_kernel=3),
)
