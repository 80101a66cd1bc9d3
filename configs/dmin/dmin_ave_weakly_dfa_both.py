# Table V, DFA and DFA: dense scores for all keys.
_base_ = './dmin_ave_weakly.py'

model = dict(dima=dict(own_score='dense', other_score='dense'))
