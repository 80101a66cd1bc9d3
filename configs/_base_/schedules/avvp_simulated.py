# For small networks on simulated data: a minute on a CPU.
_base_ = './avvp_40e.py'

train_cfg = dict(max_epochs=20, val_interval=5)
optim_wrapper = dict(optimizer=dict(lr=0.001))
auto_scale_lr = dict(base_batch_size=32)
