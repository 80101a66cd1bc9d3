# Base + GCAA: global context aware attention. Small, on simulated data.
_base_ = './base_sim.py'

model = dict(gcaa=True)
