# The thermal teacher. Images go to 0..1, as the authors' published weights expect.
_base_ = './efficientdet_d2_mavd_rgb.py'

model = dict(
    data_preprocessor=dict(
        modality='thermal', modalities=dict(_delete_=True, thermal=dict(mean=[0.0], std=[255.0]))
    ),
    backbone=dict(in_channels=1),
)

train_pipeline = [dict(_base_.train_pipeline[0], modalities=('thermal',)), *_base_.train_pipeline[1:]]
test_pipeline = [dict(_base_.test_pipeline[0], modalities=('thermal',)), *_base_.test_pipeline[1:]]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))
