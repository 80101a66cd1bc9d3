# The pretext task (section 3.2): the student's backbone learns to count the vehicles that the teachers see,
# by sound. Its checkpoint starts the student: distillnet_effdet_d2_mavd_pretext.py. Labels are those of
# tools/dataset_converters/mavd_pseudo_labels.py; of the data set itself:
# --cfg-options train_dataloader.dataset.ann_file=annotations/train.json
# Size of the head, greatest number, batch and learning rate are not stated. From scratch, as the paper says.
_base_ = [
    '../_base_/models/efficientdet_d2.py',
    '../_base_/datasets/mavd_letterbox.py',
    '../_base_/schedules/mm_distillnet_50e.py',
    '../_base_/default_runtime.py',
]
custom_imports = dict(imports=['mmav', 'mmpretrain'], allow_failed_imports=False)

max_count = 8  # the last class: 8 or more

model = dict(
    _delete_=True,
    type='AudioClassifier',
    data_preprocessor=_base_.model.data_preprocessor,
    backbone=_base_.model.backbone,
    neck=dict(type='mmpretrain.GlobalAveragePooling'),
    head=dict(
        type='mmpretrain.StackedLinearClsHead',
        num_classes=max_count + 1,
        in_channels=352,
        mid_channels=[256],
        dropout_rate=0.3,
        loss=dict(type='mmpretrain.CrossEntropyLoss', loss_weight=1.0),
    ),
)

train_pipeline = [
    dict(type='LoadMultichannelAudio'),
    dict(type='MirrorFlip', prob=0.5),
    dict(type='CountInstances', max_count=max_count),
    dict(type='PackClassInputs'),
]
test_pipeline = [
    dict(type='LoadMultichannelAudio'),
    dict(type='CountInstances', max_count=max_count),
    dict(type='PackClassInputs'),
]
train_dataloader = dict(
    batch_size=8, dataset=dict(ann_file='annotations/pseudo_train.json', pipeline=train_pipeline)
)
val_dataloader = dict(batch_size=8, dataset=dict(pipeline=test_pipeline))
test_dataloader = dict(batch_size=8, dataset=dict(pipeline=test_pipeline))

val_evaluator = [dict(type='mmpretrain.Accuracy'), dict(type='CountMetric')]
test_evaluator = val_evaluator

optim_wrapper = dict(optimizer=dict(lr=0.0001))
param_scheduler = [
    dict(
        type='ReduceOnPlateauLR',
        monitor='accuracy/top1',
        rule='greater',
        factor=0.1,
        patience=10,
        by_epoch=True,
    )
]
auto_scale_lr = dict(base_batch_size=32)
default_hooks = dict(checkpoint=dict(save_best='accuracy/top1', rule='greater'))
