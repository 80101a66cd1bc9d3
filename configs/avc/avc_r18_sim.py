# The small AVC localizer with both teachers, on simulated clips.
_base_ = [
    '../_base_/models/avc_r18_small.py',
    '../_base_/models/avc_teachers_small.py',
    '../_base_/datasets/clips_simulated.py',
    '../_base_/schedules/avc_simulated.py',
    '../_base_/localization_runtime.py',
]

default_hooks = dict(logger=dict(interval=10), checkpoint=dict(max_keep_ckpts=1))
