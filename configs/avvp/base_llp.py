# Base: own self-attention for each modality, cross-attention on self-attended features.
_base_ = './han_llp.py'

model = dict(base=True, loss=dict(guided_weight=0.6))
