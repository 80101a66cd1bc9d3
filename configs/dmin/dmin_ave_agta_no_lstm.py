# Table III, "AGTA w/o LSTM": no temporal attention.
_base_ = './dmin_ave.py'

model = dict(agta=dict(lstm=False))
