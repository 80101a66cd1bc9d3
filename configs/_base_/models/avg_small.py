# A quarter of the width, half of the depth.
_base_ = './avg.py'

model = dict(embed_dims=128, num_layers=2, num_heads=4, feedforward_channels=256)
