# Stand-ins for the teachers on simulated clips: backbones of a detector and of a classifier of sounds that
# were trained on the list teachers.txt. They read what the student reads. Weights:
# --cfg-options teachers.visual.init_cfg.checkpoint=FILE teachers.audio.init_cfg.checkpoint=FILE
_resnet = dict(
    depth=18, base_channels=16, stem_channels=16, num_stages=4, strides=(1, 2, 2, 1), out_indices=(3,)
)
_init = dict(type='StrictPretrained', checkpoint=None, prefix='backbone')

teachers = dict(
    type='AVCTeachers',
    visual=dict(type='ResNet', **_resnet, init_cfg=_init),
    audio=dict(type='AudioResNet', in_channels=1, **_resnet, init_cfg=_init),
    visual_input='image',
    audio_input='spectrogram',
)
teacher_pipeline = [
    dict(type='LoadClipFrame'),
    dict(type='Resize', scale=(128, 128), keep_ratio=False, interpolation='bicubic', backend='pillow'),
    dict(type='LoadAudioSegment', sample_rate=22050, duration=1.0),
    dict(type='PackLocalizationInputs'),
]
