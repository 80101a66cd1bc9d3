# The paper's teachers, and how they see and hear clips off line: tools/extract_teacher_embeddings.py.
# Weights: --cfg-options teachers.visual.checkpoint=FILE teachers.audio.checkpoint=FILE
teachers = dict(
    type='AVCTeachers',
    visual=dict(
        type='DETRFeatures',
        source='backbone',
        config='mmdet::detr/detr_r50_8xb2-150e_coco.py',
        checkpoint=None,
    ),
    audio=dict(type='CNN14', checkpoint=None),
)
teacher_pipeline = [
    dict(type='LoadClipFrame'),
    dict(type='Resize', scale=(224, 224), keep_ratio=False, interpolation='bicubic', backend='pillow'),
    dict(type='LoadAudioSegment', sample_rate=32000, duration=3.0, key='teacher_waveform'),
    dict(type='LoadAudioSegment', sample_rate=22050, duration=3.0),
    dict(type='PackLocalizationInputs'),
]
