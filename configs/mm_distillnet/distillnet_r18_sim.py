# MM-DistillNet on simulated data, small enough for a CPU: labels are made on line by three teachers, features
# are aligned by the MTA loss. No human label is read in training.
_base_ = [
    '../_base_/models/distillnet_faster_rcnn_r18_small.py',
    '../_base_/datasets/mavd_simulated.py',
    '../_base_/schedules/simulated_900it.py',
    '../_base_/iteration_runtime.py',
]

train_pipeline = [
    dict(type='LoadMultichannelAudio'),
    dict(type='LoadVisualModalities', modalities=('rgb', 'thermal', 'depth')),
    dict(type='ResizeModalities', scale=(96, 96), mode='stretch'),
    dict(type='MirrorFlip', prob=0.5),
    dict(type='PackAudioVisualInputs'),
]
train_dataloader = dict(dataset=dict(ann_file='', split_file='train.txt', pipeline=train_pipeline))
