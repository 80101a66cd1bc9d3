# Base + Adv + Skip + GCAA: all of the paper but pretraining.
_base_ = './adv_skip_llp.py'

model = dict(gcaa=True)
