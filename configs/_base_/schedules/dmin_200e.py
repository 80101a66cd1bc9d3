# The paper's: Adam at 5e-5, halved after 10, 20 and 30 epochs, batches of 32. The number of epochs, the
# clipping of gradients and the seed are not stated: the released program's.
train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=200, val_interval=1)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')

optim_wrapper = dict(
    type='OptimWrapper', optimizer=dict(type='Adam', lr=0.00005), clip_grad=dict(max_norm=0.1)
)
param_scheduler = [dict(type='MultiStepLR', by_epoch=True, milestones=[10, 20, 30], gamma=0.5)]
randomness = dict(seed=456)
# With --auto-scale-lr the rate follows the true batch size.
auto_scale_lr = dict(enable=False, base_batch_size=32)
