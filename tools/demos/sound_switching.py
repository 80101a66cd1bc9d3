"""Does a localizer follow the sound? It hears first the one, then the other of two things in an image.

H, W: height and width of a map in pixels.
"""

from collections import defaultdict
from pathlib import Path

import numpy as np
from common import ROOT
from common_report import spread
from mmengine.config import Config
from mmengine.fileio import list_from_file, load

from mmav.apis import SoundLocalizationInferencer
from mmav.datasets.localization_map import localization_map
from mmav.evaluation import ciou


def switched_pairs(data: Path) -> list[dict]:
    """Test clips with a silent thing, ``distracted.txt``, each with a sound that that would make.

    Returns:
        By clip: ``file``, ``kind`` and ``boxes`` (n, 4; relative) of what sounds, ``silent_kind`` and
        ``silent_boxes`` of what does not, and ``other``, the clip whose sound is of ``silent_kind``.

    Raises:
        ValueError: If no test clip sounds like a silent thing.
    """
    truth = {clip['file']: clip for clip in load(data / 'truth.json')}
    sounds = defaultdict(list)
    for stem in list_from_file(data / 'test.txt'):
        sounds[truth[stem]['class']].append(stem)
    pairs = []
    for number, stem in enumerate(list_from_file(data / 'distracted.txt')):
        things = truth[stem]['objects']
        silent = [thing for thing in things if not thing['sounding']]
        others = sounds[silent[0]['kind']]
        if others:
            pairs.append(
                dict(
                    file=stem,
                    kind=truth[stem]['class'],
                    boxes=[thing['bbox'] for thing in things if thing['sounding']],
                    silent_kind=silent[0]['kind'],
                    silent_boxes=[thing['bbox'] for thing in silent],
                    other=others[number % len(others)],
                )
            )
    if not pairs:
        raise ValueError(f'{data}: no test clip has the sound of a thing that is silent in another one')
    return pairs


def switch_sounds(
    config: str, checkpoint: str, options: dict, data: Path, maps: Path, shown: int
) -> dict[str, float]:
    """Localize the own sound and that of the silent thing in the same images.

    ``maps`` is an npz file to write: ``own`` and ``switched``, (shown, H, W) float32, of clips evenly spread.

    Returns:
        Percent of the clips with a cIoU of at least 0.5: ``switch/own``, own sound against what sounds;
        ``switch/silent``, the silent thing's sound against the silent thing; ``switch/both``, both in the
        same image, which nothing that ignores the sound can reach; ``switch/clips``, their number.
    """
    cfg = Config.fromfile(ROOT / 'configs' / config)
    cfg.merge_from_dict(options)
    inferencer = SoundLocalizationInferencer(cfg, checkpoint, show_progress=False)
    pairs = switched_pairs(data)
    found, good = {}, {}
    for name, sound, truth in (('own', 'file', 'boxes'), ('silent', 'other', 'silent_boxes')):
        inputs = [
            dict(
                image=str(data / 'frames' / f'{pair["file"]}.jpg'),
                audio=str(data / 'audio' / f'{pair[sound]}.wav'),
            )
            for pair in pairs
        ]
        samples = inferencer(inputs, batch_size=32, return_datasamples=True)['predictions']
        found[name] = np.stack([sample.pred_map.numpy() for sample in samples])
        size = found[name].shape[1:]
        gt = np.stack([localization_map(np.array(pair[truth]), size) for pair in pairs])
        good[name] = ciou(found[name], gt)['ciou'] >= 0.5
    good['both'] = good['own'] & good['silent']
    places = spread(len(pairs), shown)
    np.savez(maps, own=found['own'][places], switched=found['silent'][places])
    return {
        'switch/clips': len(pairs),
        **{f'switch/{name}': 100 * float(np.mean(values)) for name, values in good.items()},
    }
