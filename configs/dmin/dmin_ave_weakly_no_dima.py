# Table IV, "w/o DIMA": self-attentive features are fused.
_base_ = './dmin_ave_weakly.py'

model = dict(use_dima=False)
