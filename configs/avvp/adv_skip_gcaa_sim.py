# Base + Adv + Skip + GCAA: all of the paper but pretraining. Adv: modality discriminator; Skip: self-attended
# signal past the cross-attention; GCAA: global context aware attention. Small, on simulated data.
_base_ = './base_sim.py'

model = dict(skip=True, discriminator=dict(weight=0.4), gcaa=True)
