"""Labeled frames as sound and boxes alone, for calibration and checks of an array.

Shapes: M microphones, L samples, N boxes.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from mmav.utils.errors import SampleError
from mmav.utils.precision import as_float

from .box_checks import is_label
from .mavd import MAVDDataset
from .transforms.load_multichannel_audio import LoadMultichannelAudio


@dataclass(frozen=True)
class LabeledSound:
    """The sound around a frame and what the camera image shows.

    Args:
        drive: Name of the frame's drive.
        frame_id: Name of the frame in it.
        waveform: (M, L) float32 in -1..1; the image was taken at its middle.
        sample_rate: Hertz.
        bboxes: (N, 4) x1, y1, x2, y2 in pixels of the cropped image.
        img_path: The camera image's file.
    """

    drive: str
    frame_id: str
    waveform: np.ndarray
    sample_rate: int
    bboxes: np.ndarray
    img_path: str


def labeled_sound_dataset(
    ann_file: str, data_root: str, num_microphones: int = 8, sample_rate: int = 44100, **kwargs: Any
) -> MAVDDataset:
    """The data set of a COCO file of true or pseudo labels, read without images.

    ``kwargs`` are of :class:`MAVDDataset` (audio_layout, crop, prepared, ...). SampleError if the file cannot
    be used.

    Example::

        dataset = labeled_sound_dataset('annotations/train.json', 'data/mavd_sim')
        next(labeled_sounds(dataset, [0])).waveform.shape  # (8, 44100)
    """
    return MAVDDataset(
        ann_file=ann_file,
        data_root=data_root,
        data_prefix=dict(img=''),
        modalities=(),
        num_microphones=num_microphones,
        pipeline=[LoadMultichannelAudio(sample_rate, num_microphones)],
        test_mode=True,
        **kwargs,
    )


def boxes_of_frames(dataset: MAVDDataset, min_score: float = 0.0) -> list[np.ndarray]:
    """Boxes (N, 4) of each frame, without reading sound; pseudo labels below ``min_score`` are left out."""
    return [_boxes(dataset.get_data_info(index), min_score) for index in range(len(dataset))]


def labeled_sounds(
    dataset: MAVDDataset, indices: Iterable[int] | None = None, min_score: float = 0.0
) -> Iterator[LabeledSound]:
    """Read frames (None: all) one after another; pseudo labels below ``min_score`` are left out.

    Raises:
        SampleError: If a frame's sound cannot be read, or the data set holds spectrograms.
    """
    for index in range(len(dataset)) if indices is None else indices:
        results = dataset[int(index)]
        if 'audio' not in results:
            raise SampleError(
                dataset.frame_name(int(index)), 'it holds no waveform: give the files as they were recorded'
            )
        yield LabeledSound(
            results['drive'],
            results['frame_id'],
            as_float(results['audio']),
            results['sample_rate'],
            _boxes(results, min_score),
            results['img_path'],
        )


def _boxes(info: dict, min_score: float) -> np.ndarray:
    boxes = [instance['bbox'] for instance in info['instances'] if is_label(instance, min_score)]
    return np.array(boxes, dtype=np.float64).reshape(-1, 4)
