# Base: own self-attention for each modality, cross-attention on self-attended features.
# Small, on simulated data.
_base_ = './han_sim.py'

model = dict(base=True, loss=dict(guided_weight=0.6))
