# Table III, "AGTA w/o LSTM": no temporal attention.
_base_ = './dmin_ave_weakly.py'

model = dict(agta=dict(lstm=False))
