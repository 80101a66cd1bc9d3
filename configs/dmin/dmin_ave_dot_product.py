# Table IV, "CMRA", and Table V, MHA and MHA: the dot product for all keys.
_base_ = './dmin_ave.py'

model = dict(dima=dict(own_score='dot', other_score='dot'))
