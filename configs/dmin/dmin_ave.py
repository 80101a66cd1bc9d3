# DMIN, fully supervised: Table I.
_base_ = [
    '../_base_/models/dmin.py',
    '../_base_/datasets/ave.py',
    '../_base_/schedules/dmin_200e.py',
    '../_base_/default_runtime.py',
]

default_hooks = dict(checkpoint=dict(interval=10, save_best='auto', rule='greater'))
