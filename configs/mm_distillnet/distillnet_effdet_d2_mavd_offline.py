# Labels from the file that tools/dataset_converters/mavd_pseudo_labels.py has written: the teachers only give
# features.
_base_ = './distillnet_effdet_d2_mavd.py'

model = dict(pseudo_labels=None)

train_pipeline = [
    *_base_.train_pipeline[:2],
    dict(type='LoadAnnotations', with_bbox=True),
    *_base_.train_pipeline[2:],
]
train_dataloader = dict(
    dataset=dict(ann_file='annotations/pseudo_train.json', split_file=None, pipeline=train_pipeline)
)
