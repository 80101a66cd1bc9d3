# DCMR, small, images are searched for a sound, on simulated data.
_base_ = [
    '../_base_/models/dcmr_small.py',
    '../_base_/datasets/ave_cross_modality_simulated.py',
    '../_base_/schedules/dmin_simulated.py',
    '../_base_/default_runtime.py',
]

default_hooks = dict(logger=dict(interval=5), checkpoint=dict(max_keep_ckpts=1))
