# Table VI, lambda = 0: no unimodal discrimination loss.
_base_ = './dmin_ave.py'

model = dict(unimodal_weight=0.0)
