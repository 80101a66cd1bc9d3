# Base + GCAA: global context aware attention.
_base_ = './base_llp.py'

model = dict(gcaa=True)
