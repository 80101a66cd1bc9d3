# The paper's: Adam at 1e-4, 100 epochs of batches of 128, no schedule. The test set is looked at every tenth
# epoch, for the log alone: no checkpoint is chosen by it; the last one counts.
train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=100, val_interval=10)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')

optim_wrapper = dict(type='OptimWrapper', optimizer=dict(type='Adam', lr=0.0001))
# With --auto-scale-lr the rate follows the true batch size.
auto_scale_lr = dict(enable=False, base_batch_size=128)
