"""Report of the demo that parses videos."""

from dataclasses import replace
from pathlib import Path

import numpy as np
from common_report import finish, loss_curves, results_table, spread
from mmengine.config import Config
from report import Card, Cards, Column, Figure

from mmav.apis import VideoParsingInferencer
from mmav.apis.video_parsing_inferencer import timeline_bands
from mmav.datasets import LLPDataset
from mmav.evaluation import llp_f1
from mmav.structures.events import find_events
from mmav.visualization import EventBand, draw_timeline

COLUMNS = dict(audio='Audio', visual='Visual', audio_visual='AV', type_av='Type@AV', event_av='Event@AV')
SHOWN = ('han', 'adv_skip_gcaa', 'han_pseudo')  # those of them that were trained
NOTES = (
    'F1 in percent, as the papers count it. Audio, Visual: events that are heard, that are seen; AV: both at '
    'once; Type@AV: mean of the three; Event@AV: heard and seen ones counted together. '
)
LEVELS = dict(
    segment='By second (Table 1): each second of each video counts.',
    event='By event (Table 2): a run of seconds is found by one that overlaps it by half (IoU 0.5).',
)


def open_videos(data: str) -> LLPDataset:
    """The test videos with their features and events."""
    return LLPDataset(data_root=data, ann_file='AVVP_test_pd.csv', test_mode=True, pipeline=[])


def always_all(data: str) -> dict[str, float]:
    """Figures of what knows the events of each test video and says them in every second, heard and seen."""
    dataset = open_videos(data)
    infos = [dataset.get_data_info(index) for index in range(len(dataset))]
    truth = [np.stack([info[key].T for info in infos]) for key in ('gt_audio', 'gt_visual')]
    events = np.stack([np.repeat(info['gt_events'][:, None], truth[0].shape[2], axis=1) for info in infos])
    return {f'llp/{key}': value for key, value in llp_f1(events, events, *truth).items()}


def timelines(work_dir: Path, outcome: dict) -> Cards:
    """Some test videos: the truth, and what some of the parsers find."""
    dataset = open_videos(outcome['data'])
    samples = [dataset[int(index)] for index in spread(len(dataset), outcome['timelines'])]
    classes = dataset.metainfo['classes']
    found = {}
    shown = [key for key in SHOWN if key in outcome['names']]
    for key in shown:
        cfg = Config.fromfile(work_dir / key / 'config.py')
        parser = VideoParsingInferencer(
            cfg, outcome['checkpoints'][key], 'cpu', classes=classes, show_progress=False
        )
        sources = [dict({k: s[k] for k in parser.channels}, name=s['video_id']) for s in samples]
        found[key] = parser(sources)['predictions']
    cards = []
    for number, sample in enumerate(samples):
        truth = [
            EventBand(
                name, [(e.onset, e.offset, e.label) for e in find_events(sample[f'gt_{modality}'], classes)]
            )
            for modality, name in (('audio', 'heard'), ('visual', 'seen'))
        ]
        figures = [_figure(truth, sample['duration'], 'truth')]
        for key in shown:
            bands = timeline_bands(found[key][number])
            bands = [bands['audio'], bands['visual']]
            figures.append(_figure(bands, sample['duration'], outcome['names'][key]))
        cards.append(Card(f'Video {sample["video_id"]}', figures))
    intro = 'Evenly spread over the test videos, none chosen by hand.'
    return Cards('Timelines', cards, intro)


def _figure(bands: list[EventBand], duration: float, caption: str) -> Figure:
    return Figure(draw_timeline(bands, duration, 560), caption, image_format='png')


def write_parse_report(work_dir: Path, outcome: dict) -> None:
    """Write ``report.html`` of what ``run_demo`` returned, and print the tables."""
    names = {'always': ('Its events everywhere', 'knows what happens in each video, not when or where')}
    names |= {key: (name, '') for key, name in outcome['names'].items()}
    metrics = dict(always=always_all(outcome['data']), **outcome['metrics'])
    tables = []
    for level, explanation in LEVELS.items():
        columns = {f'llp/{level}_{key}': Column(name) for key, name in COLUMNS.items()}
        title = explanation.split(':')[0]
        tables.append(results_table(title, metrics, names, ('always',), NOTES + explanation, columns))
    trained = {key: value for key, value in names.items() if key != 'always'}
    losses = ('loss_video', 'loss_audio', 'loss_visual', 'loss_adversarial', 'loss_pseudo_audio')
    pretrained = {key: (key, '') for key in outcome['checkpoints'] if key.startswith('avg_')}
    pretraining = loss_curves(
        work_dir,
        pretrained,
        ('loss_unimodal', 'loss_cross_modal'),
        'Losses of audio-visual grounding, summed over all pairs of seconds of a batch.',
    )
    lead = (
        'Of each training video only the set of its events is known: not when they happen, nor whether they '
        'are heard, seen, or both. Parsers learn this by themselves; the features are simulated.'
    )
    sections = [
        *tables,
        timelines(work_dir, outcome),
        loss_curves(work_dir, trained, losses, 'Losses of the parsers, each with its weight.'),
        replace(pretraining, title='Pretraining'),
    ]
    finish(work_dir, outcome, 'What happens when, to be heard and to be seen', sections, lead)
