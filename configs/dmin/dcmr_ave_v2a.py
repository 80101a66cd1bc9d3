# DCMR, sounds are searched for an image: Table II, V2A.
_base_ = './dcmr_ave_a2v.py'

model = dict(direction='v2a')
