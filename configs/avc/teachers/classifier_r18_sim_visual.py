# What a simulated image shows: its backbone is the visual teacher of ../avc_r18_sim.py.
_base_ = '../avc_r18_sim.py'
custom_imports = dict(imports=['mmav', 'mmpretrain'], allow_failed_imports=False)

model = dict(
    _delete_=True,
    type='AudioClassifier',
    data_preprocessor=dict(_base_.model.data_preprocessor, modality='image'),
    backbone=dict(_base_.teachers.visual, init_cfg=None),
    neck=dict(type='mmpretrain.GlobalAveragePooling'),
    head=dict(
        type='mmpretrain.LinearClsHead',
        num_classes=8,
        in_channels=128,
        loss=dict(type='mmpretrain.CrossEntropyLoss'),
    ),
)

# without the sound
train_pipeline = [*_base_.train_pipeline[:4], dict(type='mmpretrain.PackInputs')]
test_pipeline = [*_base_.test_pipeline[:2], dict(type='mmpretrain.PackInputs')]
train_dataloader = dict(
    dataset=dict(split_file='teachers.txt', class_file='vggsound.csv', pipeline=train_pipeline)
)
val_dataloader = dict(
    dataset=dict(
        _delete_=True,
        type='VGGSoundDataset',
        data_root=_base_.train_data_root,
        split_file='val.txt',
        class_file='vggsound.csv',
        test_mode=True,
        pipeline=test_pipeline,
    )
)
test_dataloader = dict(dataset=dict(val_dataloader['dataset'], split_file='test.txt'))

val_evaluator = [dict(type='mmpretrain.Accuracy')]
test_evaluator = val_evaluator
