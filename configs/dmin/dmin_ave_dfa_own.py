# Table V, DFA and MHA: dense scores for own keys, dot products for the other's.
_base_ = './dmin_ave.py'

model = dict(dima=dict(own_score='dense', other_score='dot'))
