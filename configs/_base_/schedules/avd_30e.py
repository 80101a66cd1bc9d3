# The paper's: SGD at 0.008 for 32 samples over 4 GPUs, 30 epochs, a tenth after 20. Momentum and weight
# decay are not stated: mmdet's.
train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=30, val_interval=1)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')

optim_wrapper = dict(
    type='OptimWrapper', optimizer=dict(type='SGD', lr=0.008, momentum=0.9, weight_decay=0.0001)
)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.001, by_epoch=False, begin=0, end=500),
    dict(type='MultiStepLR', by_epoch=True, begin=0, end=30, milestones=[20], gamma=0.1),
]
# With --auto-scale-lr the rate follows the true batch size.
auto_scale_lr = dict(enable=False, base_batch_size=32)
