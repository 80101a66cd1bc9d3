# A small AVC localizer without pretrained weights, for simulated clips on a CPU: a quarter of ResNet-18's
# channels, images of 96 x 96, a second of sound at 11,025 Hz in frames as long as the paper's (23 ms).
# Three of the four stages: with all, each pixel of the map (6 x 6) would see the whole image, and the
# map's maximum could lie anywhere.
_base_ = './avc_r18.py'

_narrow = dict(
    base_channels=16,
    stem_channels=16,
    num_stages=3,
    strides=(1, 2, 2),
    dilations=(1, 1, 1),
    out_indices=(2,),
)

model = dict(
    data_preprocessor=dict(log_spectrogram=dict(sample_rate=11025, n_fft=256)),
    visual_backbone=dict(**_narrow, init_cfg=_base_.model.init_cfg),
    audio_backbone=_narrow,
    visual_channels=64,
    audio_channels=64,
    embed_channels=128,
    contrastive_loss=dict(temperature=0.07),
    # 1.6 (1 - cosine), of the size of the contrastive loss's changes; the weights go with the width
    audio_hint=dict(loss_weight=100.0),
    visual_hint=dict(loss_weight=100.0),
)
