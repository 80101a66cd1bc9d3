# Table IV, "w/o DIMA": self-attentive features are fused.
_base_ = './dmin_ave.py'

model = dict(use_dima=False)
