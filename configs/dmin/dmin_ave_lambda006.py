# Table VI, lambda = 0.06.
_base_ = './dmin_ave.py'

model = dict(unimodal_weight=0.06)
