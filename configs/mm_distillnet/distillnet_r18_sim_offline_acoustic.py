# distillnet_r18_sim_offline.py with a student on acoustic images: its pyramid has the axes of the teachers'.
_base_ = ['./distillnet_r18_sim_offline.py', '../_base_/acoustic_input.py', '../_base_/rigs/simulated.py']

model = dict(
    data_preprocessor=dict(
        _base_.acoustic_input, acoustic_image=dict(_base_.acoustic_input.acoustic_image, rig=_base_.rig)
    ),
    student=dict(backbone=dict(_base_.acoustic_backbone, stem_kernel=3)),
)
