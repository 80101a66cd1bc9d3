# Pretraining by audio-visual grounding, multimodal, eq. (5); model.loss.objective='uni': unimodal, eq. (3);
# 'cross': cross-modal, eq. (4).
# Small, on the simulated clips. The thresholds link seconds of one kind and no others, nearly.
_base_ = [
    '../_base_/models/avg_small.py',
    '../_base_/datasets/audioset_features.py',
    '../_base_/schedules/avg_20e.py',
    '../_base_/default_runtime.py',
]

train_dataloader = dict(
    batch_size=32,
    num_workers=1,
    dataset=dict(data_root='data/llp_simulated/', ann_file='pretrain.csv'),
)
model = dict(audio_threshold=0.45, visual_threshold=0.45)
optim_wrapper = dict(optimizer=dict(lr=0.0005))
param_scheduler = [
    dict(type='LinearLR', start_factor=0.01, by_epoch=False, begin=0, end=20),
    dict(type='CosineAnnealingLR', by_epoch=True, begin=0, end=20, T_max=20, convert_to_iter_based=True),
]
auto_scale_lr = dict(base_batch_size=32)
default_hooks = dict(logger=dict(interval=5), checkpoint=dict(interval=20, max_keep_ckpts=1))
