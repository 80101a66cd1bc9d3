# Sound alone, no visual stream and no distillation (Table 3, first row): mmdet's own Faster R-CNN.
_base_ = [
    '../_base_/models/audio_faster_rcnn_r50_fpn.py',
    '../_base_/datasets/mavd.py',
    '../_base_/schedules/avd_30e.py',
    '../_base_/default_runtime.py',
]

# no image is loaded
train_pipeline = [_base_.train_pipeline[0], *_base_.train_pipeline[2:]]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
