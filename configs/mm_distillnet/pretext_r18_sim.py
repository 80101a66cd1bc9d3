# Counting vehicles by sound, small enough for a CPU: the backbone of ../avd/faster_rcnn_r18_sim_audio.py. Its
# checkpoint starts faster_rcnn_r18_sim_audio_pretext.py. Labels are those of
# tools/dataset_converters/mavd_pseudo_labels.py; the simulator's own:
# --cfg-options train_dataloader.dataset.ann_file=annotations/train.json
_base_ = [
    '../_base_/models/audio_faster_rcnn_r18_fpn_small.py',
    '../_base_/datasets/mavd_simulated.py',
    '../_base_/schedules/simulated_900it.py',
    '../_base_/iteration_runtime.py',
]
custom_imports = dict(imports=['mmav', 'mmpretrain'], allow_failed_imports=False)

max_count = 4  # the last class: 4 or more

model = dict(
    _delete_=True,
    type='AudioClassifier',
    data_preprocessor=_base_.model.data_preprocessor,
    backbone=_base_.model.backbone,
    neck=dict(type='mmpretrain.GlobalAveragePooling'),
    head=dict(
        type='mmpretrain.StackedLinearClsHead',
        num_classes=max_count + 1,
        in_channels=256,
        mid_channels=[128],
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
train_dataloader = dict(dataset=dict(ann_file='annotations/pseudo_train.json', pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))

val_evaluator = [dict(type='mmpretrain.Accuracy'), dict(type='CountMetric')]
test_evaluator = val_evaluator
