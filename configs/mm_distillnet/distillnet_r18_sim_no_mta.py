# Without the MTA loss: the teachers only label.
_base_ = './distillnet_r18_sim.py'

model = dict(distill_losses=None)
