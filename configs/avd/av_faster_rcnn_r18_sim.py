# AVD on simulated data, small enough for a CPU.
_base_ = [
    '../_base_/models/av_faster_rcnn_r18_fpn_small.py',
    '../_base_/datasets/mavd_simulated.py',
    '../_base_/schedules/simulated_900it.py',
    '../_base_/iteration_runtime.py',
]
