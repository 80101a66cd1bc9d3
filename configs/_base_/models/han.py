# HAN as published; the rows of "Cross-modal learning for audio-visual video parsing" change it.
model = dict(
    type='HybridAttentionParser',
    data_preprocessor=dict(type='SegmentDataPreprocessor'),
    num_classes=25,
    audio_channels=128,
    visual_channels=2048,
    visual_st_channels=512,
    embed_dims=512,
    num_layers=1,
    num_heads=1,
    feedforward_channels=512,
    dropout=0.1,
    base=False,
    skip=False,
    gcaa=False,
    loss=dict(
        type='VideoParsingLoss',
        guided_weight=1.0,  # lambda_g
        audio_confidence=1.0,
        visual_confidence=0.9,
    ),
    # None: probabilities of segments are not filtered by those of the video
    video_threshold=0.5,
)
