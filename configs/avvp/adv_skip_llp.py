# Base + Adv + Skip: modality discriminator, self-attended signal past the cross-attention.
_base_ = './base_llp.py'

model = dict(skip=True, discriminator=dict(weight=0.4))
