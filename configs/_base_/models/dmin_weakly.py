# DMIN of the paper, weakly supervised.
_base_ = './dmin.py'

model = dict(supervision='weakly', unimodal_weight=0.08)
