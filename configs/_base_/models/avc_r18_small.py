# A small AVC localizer without pretrained weights, for simulated clips on a CPU: a quarter of ResNet-18's
# channels, pictures of 128 x 128 with maps of 8 x 8 (the last stage does not halve them), a second of sound.
_base_ = './avc_r18.py'

model = dict(
    visual_backbone=dict(
        base_channels=16, stem_channels=16, strides=(1, 2, 2, 1), init_cfg=_base_.model.init_cfg
    ),
    audio_backbone=dict(base_channels=16, stem_channels=16),
    visual_channels=128,
    audio_channels=128,
    embed_channels=128,
    # of the same size as the contrastive loss: 2 / 128 times these
    audio_hint=dict(loss_weight=100.0),
    visual_hint=dict(loss_weight=100.0),
)
