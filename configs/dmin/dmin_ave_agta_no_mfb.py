# Table III, "AGTA w/o MFB": no bilinear pooling.
_base_ = './dmin_ave.py'

model = dict(agta=dict(mfb=False))
