# AVD tested on sound and RGB together (Table 4).
_base_ = './faster_rcnn_r50_fpn_mavd.py'

model = dict(test_modalities='audio_visual')

# images are loaded, too
test_pipeline = [_base_.test_pipeline[0], _base_.train_pipeline[1], *_base_.test_pipeline[1:]]
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))
