# A quarter of DCMR's width: a CPU trains it in a minute.
_base_ = './dcmr.py'

model = dict(embed_dims=64, encoder=dict(feedforward_channels=128))
