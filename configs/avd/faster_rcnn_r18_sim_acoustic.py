# Sound alone on simulated data, by acoustic images: faster_rcnn_r18_sim_audio.py hears spectrograms.
_base_ = [
    '../_base_/models/acoustic_faster_rcnn_r18_fpn_small.py',
    '../_base_/datasets/mavd_simulated.py',
    '../_base_/schedules/simulated_900it.py',
    '../_base_/iteration_runtime.py',
]

train_pipeline = [
    dict(type='LoadMultichannelAudio'),
    dict(type='LoadAnnotations', with_bbox=True),
    dict(type='ResizeModalities', scale=(96, 96), mode='stretch'),
    dict(type='MirrorFlip', prob=0.5),
    dict(type='PackAudioVisualInputs'),
]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
