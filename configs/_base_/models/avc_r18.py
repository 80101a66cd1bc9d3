# The AVC localizer of two ResNet-18 with both teachers' hints (off line: the embeddings come with the clips).
# 24.5 million parameters; images 224 x 224, 3 s of sound at 22,050 Hz.
_fresh = [
    dict(type='Kaiming', layer='Conv2d'),
    dict(type='TruncNormal', layer='Linear', std=0.01),
    dict(type='Normal', layer='BatchNorm2d', mean=1.0, std=0.02, bias=0),
]

model = dict(
    type='AVCLocalizer',
    data_preprocessor=dict(
        type='SoundLocalizationDataPreprocessor',
        log_spectrogram=dict(type='LogSpectrogram', sample_rate=22050, n_fft=512, hop_length=238, floor=1e-7),
        spectrogram_scale=12.0,
        mean=[123.675, 116.28, 103.53],
        std=[58.395, 57.12, 57.375],
        bgr_to_rgb=True,
    ),
    visual_backbone=dict(
        type='ResNet',
        depth=18,
        num_stages=4,
        out_indices=(3,),
        norm_eval=False,
        init_cfg=dict(type='StrictPretrained', checkpoint='torchvision://resnet18'),
    ),
    audio_backbone=dict(
        type='AudioResNet',
        depth=18,
        in_channels=1,
        num_stages=4,
        out_indices=(3,),
        norm_eval=False,
        init_cfg=_fresh,
    ),
    visual_channels=512,
    audio_channels=512,
    embed_channels=2048,
    # alpha_1; gather=True takes the images and sounds of all GPUs as negatives
    contrastive_loss=dict(
        type='MaxSimilarityContrastiveLoss', temperature=0.03, gather=False, loss_weight=1.0
    ),
    # alpha_2 and alpha_3
    audio_hint=dict(type='FeatureHintLoss', loss_weight=1000.0, normalize='channels'),
    visual_hint=dict(type='FeatureHintLoss', loss_weight=100000.0, normalize='channels'),
    init_cfg=_fresh,
)
