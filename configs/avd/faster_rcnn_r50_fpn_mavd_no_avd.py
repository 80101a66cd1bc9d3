# Sound alone, no visual stream and no distillation (Table 3, first row): mmdet's own Faster R-CNN.
_base_ = [
    '../_base_/models/audio_faster_rcnn_r50_fpn.py',
    '../_base_/datasets/mavd.py',
    '../_base_/schedules/avd_30e.py',
    '../_base_/default_runtime.py',
]

train_pipeline = [
    dict(type='LoadMultichannelAudio'),
    dict(type='LoadAnnotations', with_bbox=True),
    dict(type='ResizeModalities', scale=(576, 576), mode='stretch'),
    dict(type='PackAudioVisualInputs'),
]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
