# Table VI, lambda = 0.08.
_base_ = './dmin_ave.py'

model = dict(unimodal_weight=0.08)
