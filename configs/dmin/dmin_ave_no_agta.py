# Table III, "w/o AGTA": locations are averaged.
_base_ = './dmin_ave.py'

model = dict(use_agta=False)
