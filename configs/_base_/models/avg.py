# Audio-visual grounding: a joint transformer, trained without labels. Its size, margins and thresholds are
# not in the paper.
model = dict(
    type='AVGPretrainer',
    data_preprocessor=dict(type='SegmentDataPreprocessor'),
    audio_channels=128,
    visual_channels=2048,
    embed_dims=512,
    num_layers=4,
    num_heads=8,
    feedforward_channels=2048,
    dropout=0.1,
    max_segments=10,
    audio_threshold=0.9,
    visual_threshold=0.9,
    loss=dict(type='AVGLoss', objective='multi', positive_margin=0.8, negative_margin=0.2, reduction='sum'),
)
