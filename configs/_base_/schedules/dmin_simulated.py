# For small networks on simulated data: a minute on a CPU.
_base_ = './dmin_200e.py'

train_cfg = dict(max_epochs=20, val_interval=5)
optim_wrapper = dict(optimizer=dict(lr=0.001), clip_grad=dict(max_norm=5.0))
param_scheduler = [dict(type='MultiStepLR', by_epoch=True, milestones=[10, 15], gamma=0.3)]
