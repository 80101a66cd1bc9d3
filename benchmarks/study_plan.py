"""What the study of acoustic images trains and tests: data sets, inputs and trainings.

Every training is a stock config of ``configs/`` at the size of the demos' small networks.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

from mmengine.config import Config
from study_scenes import ANGLES

CONFIGS = Path(__file__).resolve().parents[1] / 'configs'

SOUND = 'avd/faster_rcnn_r18_sim_audio.py'
ACOUSTIC = 'avd/faster_rcnn_r18_sim_acoustic.py'
ACOUSTIC_AVD = 'avd/av_faster_rcnn_r18_sim_acoustic.py'
RGB = 'avd/faster_rcnn_r18_sim_rgb.py'


@dataclass(frozen=True)
class DataSet:
    """Simulated drives.

    Args:
        simulator: Options of ``simulate_mavd.py``.
        few: Frames whose labels are kept where the others are forgotten.
        source: Name of the data set that this one is a copy of, with changes of sound or rig.
        change: What is changed: keywords of :func:`study_data.change_data_set`.
        calibrated: Whether ``rig.json`` is what ``calibrate_array.py`` makes of the source's, by its training
            frames.
        tiny: Options of the simulator for a miniature.
    """

    simulator: tuple[str, ...] = ()
    few: int = 200
    source: str | None = None
    change: dict[str, Any] = field(default_factory=dict)
    calibrated: bool = False
    tiny: tuple[str, ...] = ('--drives-per-split', '4', '1', '2', '--frames-per-drive', '4')


@dataclass(frozen=True)
class Input:
    """What a network is given of the sound.

    Args:
        store: Options of ``prepare_mavd.py``; empty: nothing but the images.
        overrides: Of the config, by dotted keys.
    """

    store: tuple[str, ...] = ()
    overrides: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Trial:
    """One detector, trained and tested.

    Args:
        config: Path below ``configs/``.
        input: Name of an :class:`Input`.
        labels: 'full': the ground truth of all training frames; 'few': of ``DataSet.few`` of them; 'taught':
            these, and on the other frames the boxes of the RGB detector that was trained on the few.
        data: Name of a :class:`DataSet`.
        test_data: Name of the data set to test on. None: that of the training.
        iterations: Length of the training, in batches of 8.
        overrides: Of the config, by dotted keys.
        warm_start: Name of the trial whose RGB detector initializes the visual stream.
        tests: Name of a trial whose checkpoint is tested here; nothing is trained.
        swapped: Whether each frame's detections are tested on another drive's frame.
        trackers: Whether tracks are tested, too.
        known: Nothing is trained: boxes are regressed from these, see :func:`study_scenes.known_at_most`.
        pairs_by: Nothing is trained: see :func:`study_hearing.pairs_apart`, whose options these are.
        kind_by: Nothing is trained: see :func:`study_hearing.kinds_apart`, whose channels these are.
    """

    config: str = ACOUSTIC
    input: str = 'acoustic'
    labels: str = 'full'
    data: str = 'demo'
    test_data: str | None = None
    iterations: int = 1500
    overrides: dict[str, Any] = field(default_factory=dict)
    warm_start: str | None = None
    tests: str | None = None
    swapped: bool = False
    trackers: bool = False
    known: tuple[str, ...] = ()
    pairs_by: dict[str, Any] = field(default_factory=dict)
    kind_by: tuple[str, ...] = ()

    @property
    def untrained(self) -> bool:
        """Whether no detector takes part."""
        return bool(self.known or self.pairs_by or self.kind_by)


@dataclass(frozen=True)
class Table:
    """Rows of the report.

    Args:
        title: What it shows.
        trials: Names, one a row.
        columns: Metrics by heading.
    """

    title: str
    trials: tuple[str, ...]
    columns: dict[str, str]


TRACKING = {
    f'{name} {key}': f'{name}/{key}' for name in ('iou', 'byte', 'ocsort') for key in ('MOTA', 'IDF1', 'HOTA')
}
PRECISION = {'mAP@0.5': 'mavd/mAP_50', 'mAP@Avg': 'mavd/mAP', 'mAP@0.75': 'mavd/mAP_75', 'CDx': 'mavd/CDx'}
CONDITIONS = ('day', 'dusk', 'night', 'fog', 'tunnel')
BY_CONDITION = {'all': 'mavd/mAP_50', **{name: f'mavd/{name}/mAP_50' for name in CONDITIONS}}

_ROUGH = ('--snr', '-5', '15', '--snr-reference', 'loudest', '--wind', '0.6', '--ego-engine', '0.5')
_ROUGH += ('--facade-reflection', '0.5', '--gain-mismatch', '1', '--delay-mismatch', '15')
_ROUGH += ('--unseen-share', '0.4')
_TEN_A_SECOND = ('--frames-per-drive', '20', '--frame-interval', '0.1', '0.1')  # those of demo_distill.py
DATA_SETS = {
    'demo': DataSet(('--preset', 'demo', '--drives-per-split', '500', '1', '75')),
    'default': DataSet(('--preset', 'default', '--drives-per-split', '60', '1', '20')),
    'hard': DataSet(('--preset', 'hard', '--drives-per-split', '60', '1', '20')),
    'rough': DataSet(('--preset', 'demo', *_ROUGH, '--drives-per-split', '300', '1', '50')),
    'long': DataSet(
        (
            '--preset',
            'demo',
            '--margin',
            '1.05',
            '--audio-layout',
            'drive',
            '--drives-per-split',
            '500',
            '1',
            '75',
        )
    ),
    'off_2cm': DataSet(source='demo', change=dict(displaced=0.02)),
    'off_5cm': DataSet(source='demo', change=dict(displaced=0.05)),
    'off_2cm_calibrated': DataSet(source='off_2cm', calibrated=True),
    'off_5cm_calibrated': DataSet(source='off_5cm', calibrated=True),
    'four': DataSet(source='demo', change=dict(channels=[0, 2, 5, 7])),
    'two': DataSet(source='demo', change=dict(channels=[1, 6])),
    'tracks': DataSet(
        ('--preset', 'demo', '--drives-per-split', '1', '1', '12', *_TEN_A_SECOND),
        tiny=('--drives-per-split', '1', '1', '2', '--frames-per-drive', '4'),
    ),
    'shifted': DataSet(source='demo', change=dict(sound='shifted')),
    'one_dead': DataSet(source='demo', change=dict(sound='one_dead')),
}

_STORE = ('--audio', 'acoustic_image', '--config', str(CONFIGS / ACOUSTIC))
_ACOUSTIC_IMAGE = 'model.data_preprocessor.acoustic_image'
_BARTLETT_MEAN = [-1.1, -3.4, -6.6, -8.4, -8.2, -8.0, -8.0, -7.8]
_BARTLETT_STD = [1.0, 3.2, 4.5, 4.2, 3.9, 3.2, 2.7, 2.1]
_PREPROCESSOR = Config.fromfile(CONFIGS / ACOUSTIC).model.data_preprocessor
_MEAN, _STD = list(_PREPROCESSOR.acoustic_mean), list(_PREPROCESSOR.acoustic_std)
_OF_DRIVES = ('--dataset', 'audio_layout=drive')
# (center, half width) of windows of a clip of two seconds: those of one second, one before and one after
_TWO_SECONDS = [
    (0.2, 0.2),
    (0.62, 0.12),
    (0.82, 0.12),
    (1.03, 0.12),
    (1.24, 0.12),
    (1.42, 0.12),
    (1.8, 0.2),
    None,
]
INPUTS = {
    'rgb': Input(('--audio', 'none', '--modalities', 'rgb')),
    'log_mel': Input(('--modalities', '--audio', 'log_mel', '--config', str(CONFIGS / SOUND))),
    'acoustic': Input((*_STORE, '--modalities', 'rgb')),
    # decibel, but for the six of 0..1: what the other beamformer's shares are like
    'acoustic_bartlett': Input(
        (*_STORE, '--modalities', '--acoustic-image', 'beamformer=bartlett'),
        {
            f'{_ACOUSTIC_IMAGE}.beamformer': 'bartlett',
            'model.data_preprocessor.acoustic_mean': [
                *_BARTLETT_MEAN * 6,
                *_MEAN[48:56],
                *[0.27] * 6,
                *_MEAN[62:],
            ],
            'model.data_preprocessor.acoustic_std': [
                *_BARTLETT_STD * 6,
                *_STD[48:56],
                *[0.25] * 6,
                *_STD[62:],
            ],
        },
    ),
    'acoustic_no_kind': Input(
        (*_STORE, '--modalities', '--acoustic-image', 'channels=contrast,level,broadband'),
        {
            f'{_ACOUSTIC_IMAGE}.channels': ['contrast', 'level', 'broadband'],
            'model.data_preprocessor.acoustic_mean': _MEAN[:62],
            'model.data_preprocessor.acoustic_std': _STD[:62],
            'model.backbone.in_channels': 62,
        },
    ),
    'acoustic_one_second': Input((*_STORE, '--modalities', *_OF_DRIVES)),
    'acoustic_two_seconds': Input(
        (
            *(*_STORE, '--modalities', *_OF_DRIVES, '--load-audio', 'duration=2.0', '--acoustic-image'),
            f'windows={str(_TWO_SECONDS).replace(" ", "")}',
        ),
        {
            f'{_ACOUSTIC_IMAGE}.windows': _TWO_SECONDS,
            'model.data_preprocessor.acoustic_mean': [
                *_MEAN[:8] * 8,
                *_MEAN[48:56],
                *[0.13] * 8,
                *_MEAN[62:],
            ],
            'model.data_preprocessor.acoustic_std': [*_STD[:8] * 8, *_STD[48:56], *[0.2] * 8, *_STD[62:]],
            'model.backbone.in_channels': 116,
        },
    ),
    'acoustic_no_directivity': Input(
        (*_STORE, '--modalities', '--acoustic-image', 'directivity=omni', 'ground_reflection=0.0'),
        {f'{_ACOUSTIC_IMAGE}.directivity': 'omni', f'{_ACOUSTIC_IMAGE}.ground_reflection': 0.0},
    ),
}

_MOTION = dict(type='KalmanFilter')
TRACKERS = {
    'iou': dict(type='IoUTracker'),  # the paper's
    'byte': dict(type='MMDetTracker', tracker=dict(type='ByteTracker', motion=_MOTION)),
    'ocsort': dict(
        type='MMDetTracker',
        tracker=dict(
            type='OCSORTTracker', motion=_MOTION, obj_score_thr=0.3, init_track_thr=0.7, match_iou_thr=0.3
        ),
    ),
}

_AVD = dict(config=ACOUSTIC_AVD)
_FEW_RGB = dict(config=RGB, input='rgb', iterations=600, labels='few')
_SHORT = dict(iterations=750)
_NO_FLIP = {'train_dataloader.dataset.pipeline.3.prob': 0.0}
_LOSS_AVD = 'model.roi_head.loss_avd'


def _short_avd(weight: float | None = None, **options: Any) -> Trial:
    """AVD in the short trainings, with other weights of both of its losses than the config's."""
    weights = {} if weight is None else {f'{_LOSS_AVD}.{name}_weight': weight for name in ('gcl', 'avkd')}
    return Trial(**_AVD, **_SHORT, overrides=weights, **options)


TRIALS = {
    'demo/full/acoustic': Trial(),
    'demo/full/rgb': Trial(config=RGB, input='rgb'),
    'demo/full/log_mel': Trial(config=SOUND, input='log_mel'),
    'demo/full/avd': Trial(**_AVD, warm_start='demo/full/rgb'),
    'demo/full/bartlett': Trial(input='acoustic_bartlett'),
    'demo/full/no_kind': Trial(input='acoustic_no_kind'),
    'demo/few/rgb': Trial(**_FEW_RGB),
    'demo/few/acoustic': Trial(labels='few'),
    'demo/taught/acoustic': Trial(labels='taught'),
    'demo/taught/log_mel': Trial(config=SOUND, input='log_mel', labels='taught'),
    'short/full/acoustic': Trial(**_SHORT),
    'short/full/avd': _short_avd(warm_start='demo/full/rgb'),
    'short/full/avd_0.03': _short_avd(0.03, warm_start='demo/full/rgb'),
    'short/full/avd_0.3': _short_avd(0.3, warm_start='demo/full/rgb'),
    'short/taught/acoustic': Trial(**_SHORT, labels='taught'),
    'short/taught/avd': _short_avd(labels='taught', warm_start='demo/few/rgb'),
    'short/few/acoustic': Trial(**_SHORT, labels='few'),
    'short/few/avd': _short_avd(labels='few', warm_start='demo/few/rgb'),
    **{
        f'{data}/full/{what}': Trial(config=config, input=given, data=data, **_SHORT)
        for data in ('default', 'hard', 'rough')
        for what, config, given in (
            ('acoustic', ACOUSTIC, 'acoustic'),
            ('log_mel', SOUND, 'log_mel'),
            ('rgb', RGB, 'rgb'),
        )
    },
    'no_directivity/full/acoustic': Trial(input='acoustic_no_directivity', **_SHORT),
    **{
        f'{data}/full/acoustic': Trial(data=data, **_SHORT)
        for data in ('off_2cm_calibrated', 'off_5cm_calibrated', 'four', 'two')
    },
    # an array that is not symmetric is not mirrored
    'no_flip/full/acoustic': Trial(**_SHORT, overrides=_NO_FLIP),
    **{
        f'{data}/full/acoustic': Trial(data=data, **_SHORT, overrides=_NO_FLIP)
        for data in ('off_2cm', 'off_5cm')
    },
    'long/full/one_second': Trial(data='long', input='acoustic_one_second', **_SHORT),
    'long/full/two_seconds': Trial(data='long', input='acoustic_two_seconds', **_SHORT),
    'one_dead/full/acoustic': Trial(tests='short/full/acoustic', test_data='one_dead', **_SHORT),
    'shifted/full/acoustic': Trial(tests='demo/full/acoustic', test_data='shifted'),
    'shifted/full/acoustic_trained': Trial(data='shifted', **_SHORT),
    'swapped/full/acoustic': Trial(tests='demo/full/acoustic', swapped=True),
    **{
        f'known/{"+".join(known)}': Trial(known=known)
        for known in (
            ('azimuth', 'distance'),
            ('azimuth', 'distance', 'kind'),
            ('azimuth', 'distance', 'kind', 'motion'),
        )
    },
    'pairs/bartlett': Trial(pairs_by=dict(beamformer='bartlett')),
    **{
        f'pairs/mvdr_{loading:g}': Trial(pairs_by=dict(beamformer='mvdr', loading=loading))
        for loading in (0.001, 0.01, 0.1)
    },
    **{
        f'kind/{"+".join(channels)}': Trial(kind_by=channels)
        for channels in (('level',), ('spectrum',), ('spectrum', 'modulation'))
    },
    **{
        f'tracks/{detector}': Trial(
            config=config, input=given, tests=f'demo/{detector}', test_data='tracks', trackers=True
        )
        for detector, config, given in (
            ('full/acoustic', ACOUSTIC, 'acoustic'),
            ('taught/acoustic', ACOUSTIC, 'acoustic'),
            ('full/log_mel', SOUND, 'log_mel'),
            ('full/rgb', RGB, 'rgb'),
        )
    },
}


def _of(data: str) -> tuple[str, ...]:
    return tuple(f'{data}/full/{what}' for what in ('acoustic', 'log_mel', 'rgb'))


TABLES = {
    'demo': Table(
        'Drives of the `demo` preset',
        tuple(name for name in TRIALS if name.startswith('demo/')),
        PRECISION,
    ),
    'avd': Table(
        'Audio-visual distillation (AVD) beside the same detector without it',
        tuple(name for name in TRIALS if name.startswith('short/')),
        PRECISION | {name: f'mavd/{name}/mAP_50' for name in ('night', 'fog')},
    ),
    'long': Table(
        'Two seconds of sound instead of one',
        tuple(name for name in TRIALS if name.startswith('long/')),
        PRECISION,
    ),
    'rough': Table('Rough conditions', _of('rough'), PRECISION),
    'default': Table('Drives of the `default` preset, mAP@0.5 by condition', _of('default'), BY_CONDITION),
    'hard': Table('Drives of the `hard` preset, mAP@0.5 by condition', _of('hard'), BY_CONDITION),
    'mismatch': Table(
        'What the steering does not know, and fewer microphones',
        (
            'short/full/acoustic',
            'no_directivity/full/acoustic',
            'no_flip/full/acoustic',
            'off_2cm/full/acoustic',
            'off_5cm/full/acoustic',
            'off_2cm_calibrated/full/acoustic',
            'off_5cm_calibrated/full/acoustic',
            'one_dead/full/acoustic',
            'four/full/acoustic',
            'two/full/acoustic',
        ),
        PRECISION,
    ),
    'tracks': Table(
        "Tracks on drives of ten frames a second, by the paper's tracker, ByteTrack and OC-SORT",
        tuple(name for name in TRIALS if name.startswith('tracks/')),
        TRACKING,
    ),
    'pairs': Table(
        'One vehicle, and two by the degrees between them, mAP@0.5',
        ('demo/full/acoustic', 'demo/full/log_mel', 'demo/full/rgb'),
        {
            'alone': 'alone/mAP_50',
            **{f'{low:g}-{high:g}': f'pairs/{low:g}-{high:g}/mAP_50' for low, high in pairwise(ANGLES)},
        },
    ),
    'peaks': Table(
        'Two vehicles whose places are the two highest peaks, percent by the degrees between them',
        tuple(name for name in TRIALS if name.startswith('pairs/')),
        {f'{low:g}-{high:g}': f'pairs/{low:g}-{high:g}/heard' for low, high in pairwise(ANGLES)},
    ),
    'kind': Table(
        'A motorcycle told from others by its sound, place known: area under the ROC curve, percent',
        tuple(name for name in TRIALS if name.startswith('kind/')),
        {'trees': 'kind/trees', 'logistic': 'kind/logistic'},
    ),
    'known': Table(
        'Boxes regressed from what is known of each vehicle exactly',
        tuple(name for name in TRIALS if name.startswith('known/')),
        PRECISION,
    ),
    'controls': Table(
        'Controls: nothing can be heard of the place',
        ('swapped/full/acoustic', 'shifted/full/acoustic', 'shifted/full/acoustic_trained'),
        PRECISION,
    ),
}
