# DCMR, images are searched for a sound: Table II, A2V.
_base_ = [
    '../_base_/models/dcmr.py',
    '../_base_/datasets/ave_cross_modality.py',
    '../_base_/schedules/dmin_200e.py',
    '../_base_/default_runtime.py',
]

default_hooks = dict(checkpoint=dict(interval=10, save_best='auto', rule='greater'))
