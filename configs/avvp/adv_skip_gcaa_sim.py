# Base + Adv + Skip + GCAA: all of the paper but pretraining. Small, on simulated data.
_base_ = './adv_skip_sim.py'

model = dict(gcaa=True)
