# Pretraining without validation. The paper states nothing of it; the start is BERT's rate with a warm-up.
train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=20)

optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='AdamW', lr=0.0001, weight_decay=0.01),
    clip_grad=dict(max_norm=1.0, norm_type=2),
)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.01, by_epoch=False, begin=0, end=500),
    dict(type='CosineAnnealingLR', by_epoch=True, begin=0, end=20, T_max=20, convert_to_iter_based=True),
]
auto_scale_lr = dict(enable=False, base_batch_size=64)
