# Base + Adv + Skip: modality discriminator, self-attended signal past the cross-attention.
# Small, on simulated data.
_base_ = './base_sim.py'

model = dict(skip=True, discriminator=dict(weight=0.4))
