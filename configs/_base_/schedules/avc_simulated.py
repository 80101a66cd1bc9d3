# For the small localizer on simulated clips: minutes on a CPU.
train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=15, val_interval=5)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')

optim_wrapper = dict(type='OptimWrapper', optimizer=dict(type='Adam', lr=0.001))
auto_scale_lr = dict(enable=False, base_batch_size=32)
