# For small networks on simulated data: minutes on a CPU.
_max_iters = 900

train_cfg = dict(type='IterBasedTrainLoop', max_iters=_max_iters, val_interval=300)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')

optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='AdamW', lr=0.002, weight_decay=0.01, fused=True),
    clip_grad=dict(max_norm=35, norm_type=2),
)
# another length: train_cfg.max_iters and param_scheduler.1.end
param_scheduler = [
    dict(type='LinearLR', start_factor=0.02, by_epoch=False, begin=0, end=50),
    dict(
        type='CosineAnnealingLR',
        by_epoch=False,
        begin=50,
        end=_max_iters,
        T_max=_max_iters - 50,
        eta_min=1e-5,
    ),
]
auto_scale_lr = dict(enable=False, base_batch_size=8)
