# A quarter of DMIN's width behind the published features: a CPU trains it in a minute.
_base_ = './dmin.py'

_width = 64
model = dict(
    embed_dims=_width,
    agta=dict(embed_dims=_width, squeeze_channels=_width),
    encoder=dict(feedforward_channels=2 * _width),
)
