# A quarter of HAN's width: a CPU trains it in a minute.
_base_ = './han.py'

model = dict(embed_dims=128, feedforward_channels=128)
