# The student alone on labels of the data set: no teacher, no distillation.
_base_ = [
    '../_base_/models/efficientdet_d2.py',
    '../_base_/datasets/mavd_letterbox.py',
    '../_base_/schedules/mm_distillnet_50e.py',
    '../_base_/default_runtime.py',
]

# no image is loaded
train_pipeline = [_base_.train_pipeline[0], *_base_.train_pipeline[2:]]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
