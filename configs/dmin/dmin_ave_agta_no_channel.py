# Table III, "AGTA w/o channel": no channel attention.
_base_ = './dmin_ave.py'

model = dict(agta=dict(channel=False))
