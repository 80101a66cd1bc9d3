# MM-DistillNet with RGB, thermal and depth teachers (Table 4, M5): they label on line, and their features are
# aligned by the MTA loss. Training frames need no labels.
_base_ = [
    '../_base_/models/distillnet_efficientdet_d2.py',
    '../_base_/datasets/mavd_letterbox.py',
    '../_base_/schedules/mm_distillnet_50e.py',
    '../_base_/default_runtime.py',
]

# no label is loaded
train_pipeline = [*_base_.train_pipeline[:2], *_base_.train_pipeline[3:]]
train_dataloader = dict(dataset=dict(ann_file='', split_file='train.txt', pipeline=train_pipeline))
