# HAN, small, on simulated data.
_base_ = [
    '../_base_/models/han_small.py',
    '../_base_/datasets/llp_simulated.py',
    '../_base_/schedules/avvp_simulated.py',
    '../_base_/default_runtime.py',
]

default_hooks = dict(logger=dict(interval=5), checkpoint=dict(max_keep_ckpts=1))
