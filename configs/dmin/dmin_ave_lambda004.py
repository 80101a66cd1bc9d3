# Table VI, lambda = 0.04.
_base_ = './dmin_ave.py'

model = dict(unimodal_weight=0.04)
