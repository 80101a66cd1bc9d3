# Table III, "AGTA w/o spatial": locations are averaged behind channel attention.
_base_ = './dmin_ave.py'

model = dict(agta=dict(spatial=False))
