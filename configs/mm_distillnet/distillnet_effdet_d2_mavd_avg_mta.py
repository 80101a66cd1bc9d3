# The mean of the MTA losses with RGB, thermal and depth teachers (Table 2, Avg. MTA loss).
_base_ = './distillnet_effdet_d2_mavd.py'

model = dict(distill_losses=dict(mta=dict(loss=dict(multi_teacher='loss_mean'))))
