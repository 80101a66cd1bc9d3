# DMIN, small, weakly supervised, on simulated data.
_base_ = [
    '../_base_/models/dmin_small.py',
    '../_base_/datasets/ave_weakly_simulated.py',
    '../_base_/schedules/dmin_simulated.py',
    '../_base_/default_runtime.py',
]

model = dict(supervision='weakly', unimodal_weight=0.08)
default_hooks = dict(logger=dict(interval=5), checkpoint=dict(max_keep_ckpts=1))
