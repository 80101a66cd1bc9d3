# Faster R-CNN on jet-colored depth images alone: a teacher.
_base_ = './faster_rcnn_r50_fpn_mavd_visual.py'

model = dict(
    data_preprocessor=dict(
        modality='depth', modalities=dict(_delete_=True, depth=_base_.model.data_preprocessor.modalities.rgb)
    ),
)

train_pipeline = [dict(_base_.train_pipeline[0], modalities=('depth',)), *_base_.train_pipeline[1:]]
test_pipeline = [dict(_base_.test_pipeline[0], modalities=('depth',)), *_base_.test_pipeline[1:]]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))
