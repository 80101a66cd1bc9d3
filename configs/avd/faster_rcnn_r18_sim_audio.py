# Sound alone on simulated data, small enough for a CPU: the control of av_faster_rcnn_r18_sim.py.
_base_ = [
    '../_base_/models/audio_faster_rcnn_r18_fpn_small.py',
    '../_base_/datasets/mavd_simulated.py',
    '../_base_/schedules/simulated_900it.py',
    '../_base_/iteration_runtime.py',
]

# no image is loaded
train_pipeline = [_base_.train_pipeline[0], *_base_.train_pipeline[2:]]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
