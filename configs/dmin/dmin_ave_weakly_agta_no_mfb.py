# Table III, "AGTA w/o MFB": no bilinear pooling.
_base_ = './dmin_ave_weakly.py'

model = dict(agta=dict(mfb=False))
