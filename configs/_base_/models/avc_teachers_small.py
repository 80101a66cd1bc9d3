# Stand-ins for the teachers on simulated clips: the backbones of a classifier of images and of one of
# sounds, configs/avc/teachers, trained on the list teachers.txt. They read what the student reads. Weights:
# --cfg-options teachers.visual.init_cfg.checkpoint=FILE teachers.audio.init_cfg.checkpoint=FILE
_init = dict(type='StrictPretrained', checkpoint=None, prefix='backbone')

_resnet = dict(
    depth=18,
    base_channels=32,
    stem_channels=32,
    num_stages=3,
    strides=(1, 2, 2),
    dilations=(1, 1, 1),
    out_indices=(2,),
    norm_eval=False,
    init_cfg=_init,
)

# twice as wide as the student's
teachers = dict(
    type='AVCTeachers',
    visual=dict(type='ResNet', **_resnet),
    audio=dict(type='AudioResNet', in_channels=1, **_resnet),
    visual_input='image',
    audio_input='spectrogram',
)
teacher_pipeline = [
    dict(type='LoadClipFrame'),
    dict(type='Resize', scale=(96, 96), keep_ratio=False, interpolation='bicubic', backend='pillow'),
    dict(type='LoadAudioSegment', sample_rate=11025, duration=1.0),
    dict(type='PackLocalizationInputs'),
]
