# The paper's: Adam at 3e-4, halved every 5 epochs, 40 epochs, batches of 64.
train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=40, val_interval=1)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')

optim_wrapper = dict(type='OptimWrapper', optimizer=dict(type='Adam', lr=0.0003))
param_scheduler = [dict(type='StepLR', by_epoch=True, step_size=5, gamma=0.5)]
auto_scale_lr = dict(enable=False, base_batch_size=64)
