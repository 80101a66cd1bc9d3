# DCMR, small, sounds are searched for an image, on simulated data.
_base_ = './dcmr_sim_a2v.py'

model = dict(direction='v2a')
