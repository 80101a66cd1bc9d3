# Table VI, lambda = 0.10.
_base_ = './dmin_ave_weakly.py'

model = dict(unimodal_weight=0.10)
