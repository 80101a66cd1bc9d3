# The MTA loss with the mean of the teachers' features (Table 1, MM-DistillNet Avg).
_base_ = './distillnet_effdet_d2_mavd.py'

model = dict(distill_losses=dict(mta=dict(loss=dict(multi_teacher='feature_mean'))))
