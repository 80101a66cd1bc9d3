# AVD with RGB: the paper's main row (Table 1).
_base_ = [
    '../_base_/models/av_faster_rcnn_r50_fpn.py',
    '../_base_/datasets/mavd.py',
    '../_base_/schedules/avd_30e.py',
    '../_base_/default_runtime.py',
]
