# HAN trained as its authors' released program does: batches of 16, a tenth of the rate every 10 epochs.
_base_ = './han_llp.py'

train_dataloader = dict(batch_size=16)
param_scheduler = [dict(type='StepLR', by_epoch=True, step_size=10, gamma=0.1)]
auto_scale_lr = dict(base_batch_size=16)
