# MM-DistillNet on simulated data, small enough for a CPU: labels are made on line by three teachers, features
# are aligned by the MTA loss. No human label is read in training.
_base_ = [
    '../_base_/models/distillnet_faster_rcnn_r18_small.py',
    '../_base_/datasets/mavd_simulated.py',
    '../_base_/schedules/simulated_900it.py',
    '../_base_/iteration_runtime.py',
]

# images of all teachers and no label are loaded
train_pipeline = [
    _base_.train_pipeline[0],
    dict(_base_.train_pipeline[1], modalities=('rgb', 'thermal', 'depth')),
    *_base_.train_pipeline[3:],
]
train_dataloader = dict(dataset=dict(ann_file='', split_file='train.txt', pipeline=train_pipeline))
