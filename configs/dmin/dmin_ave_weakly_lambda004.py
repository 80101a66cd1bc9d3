# Table VI, lambda = 0.04.
_base_ = './dmin_ave_weakly.py'

model = dict(unimodal_weight=0.04)
