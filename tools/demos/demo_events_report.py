"""Report of the demo of audio-visual events."""

from pathlib import Path

import numpy as np
from common_report import finish, loss_curves, results_table, spread
from mmengine.config import Config
from report import Card, Cards, Column, Figure

from mmav.apis import EventInferencer
from mmav.apis.event_inferencer import event_bands
from mmav.datasets import AVEDataset
from mmav.evaluation import segment_accuracy
from mmav.structures.events import find_events
from mmav.visualization import EventBand, draw_timeline

# Of each network, its name and a remark.
EVENTS = {
    'fully': ('DMIN, labels of seconds', 'fully supervised'),
    'weakly': ('DMIN, labels of videos', 'weakly supervised'),
    'no_agta': ('DMIN without AGTA', 'places are averaged; labels of seconds'),
    'no_dima': ('DMIN without DIMA', 'modalities do not attend to each other; labels of seconds'),
    'dot_product': ('DMIN with dot products', 'in place of all pairs of channels; labels of seconds'),
}
SEARCHES = {
    'a2v': ('DCMR, images for a sound', 'A2V'),
    'v2a': ('DCMR, sounds for an image', 'V2A'),
}
REFERENCES = {
    'background': ('Always background', 'uses no input'),
    'category': ('Its category in every second', 'knows what happens in each video, not when'),
}
CHANCE = {'chance': ('Any stretch', 'drawn at random'), 'first': ('Always the first seconds', '')}
EVENT_COLUMNS = {
    'ave/acc': Column('accuracy'),
    'ave/event_acc': Column('in events'),
    'ave/background_acc': Column('elsewhere'),
    'ave/category_acc': Column('category'),
}
SEARCH_COLUMNS = {
    'cross_modality/acc': Column('right'),
    'cross_modality/within_1': Column('1 s off'),
}
EVENT_NOTES = (
    'Percent of the seconds of the test videos whose label is right: the category of the event while it is '
    'seen and heard, background else; of all seconds, of those in events, of those elsewhere. Category: '
    'percent of the videos whose category is found.'
)
SEARCH_NOTES = (
    'Percent of the short events whose seconds are found in the other modality, given how many they are: the '
    'start must be right to the second, or at most one second off in the second column.'
)
LOSSES = ('loss_relevance', 'loss_category', 'loss_unimodal')


def open_videos(data: str, supervision: str = 'fully') -> AVEDataset:
    """The test videos with their features and labels."""
    return AVEDataset(
        data_root=data,
        split='test',
        supervision=supervision,
        ann_file='Annotations.txt',
        test_mode=True,
        pipeline=[],
    )


def reference_metrics(data: str) -> dict[str, dict[str, float]]:
    """Figures of what has learned nothing, or knows the category of each test video beforehand."""
    dataset = open_videos(data)
    truth = np.stack([dataset.get_data_info(index)['gt_segments'].argmax(1) for index in range(len(dataset))])
    background = len(dataset.metainfo['classes'])
    guesses = dict(
        background=np.full_like(truth, background),
        category=np.broadcast_to(truth.min(1, keepdims=True), truth.shape),
    )
    happens = truth != background
    return {
        key: {
            'ave/acc': segment_accuracy(guess, truth),
            'ave/event_acc': segment_accuracy(guess[happens], truth[happens]),
            'ave/background_acc': segment_accuracy(guess[~happens], truth[~happens]),
        }
        for key, guess in guesses.items()
    }


def timelines(work_dir: Path, outcome: dict) -> Cards:
    """Some test videos: the truth, what DMIN finds and looks at, and what DCMR answers."""
    dataset, searched = (open_videos(outcome['data'], kind) for kind in ('fully', 'cross_modality'))
    inferencers = {
        key: EventInferencer(
            Config.fromfile(work_dir / key / 'config.py'),
            outcome['checkpoints'][key],
            'cpu',
            show_progress=False,
        )
        for key in ('fully', 'weakly', *SEARCHES)
    }
    classes = dataset.metainfo['classes']
    short = {searched.get_data_info(index)['video_id']: index for index in range(len(searched))}
    cards = []
    for index in spread(len(dataset), outcome['timelines']):
        sample = dataset[int(index)]
        features = dict(visual=sample['visual'], audio=sample['audio'], name=sample['video_id'])
        events = find_events(sample['gt_segments'][:, :-1], classes)
        bands = [EventBand('truth', [(event.onset, event.offset, event.label) for event in events])]
        for key in ('fully', 'weakly'):
            found, *more = event_bands(inferencers[key](features)['predictions'][0])
            found.name = EVENTS[key][1]
            bands += [found, *more] if key == 'fully' else [found]
        if sample['video_id'] in short:
            features['visual'] = searched[short[sample['video_id']]]['visual']
            features['query'] = (events[0].onset, events[0].offset)
            for key in SEARCHES:
                answer = event_bands(inferencers[key](features)['predictions'][0])[1]
                answer.name = SEARCHES[key][1]
                bands.append(answer)
        figure = Figure(draw_timeline(bands, sample['duration']), image_format='png')
        cards.append(Card(f'Video {sample["video_id"]}', [figure]))
    intro = (
        'Evenly spread over the test videos, none chosen by hand. Relevance and attention are those of the '
        'fully supervised DMIN; attention shows, for each second, the places of the image, dark where it '
        'looks. A2V and V2A: where the event is found in the images by its sound, and the other way round.'
    )
    return Cards('Timelines', cards, intro)


def write_events_report(work_dir: Path, outcome: dict) -> None:
    """Write ``report.html`` of what ``run_demo`` returned, and print the tables."""
    found = outcome['metrics']
    events = reference_metrics(outcome['data']) | {key: found[key] for key in EVENTS}
    searches = {key: {'cross_modality/acc': found['a2v'][f'cross_modality/{key}']} for key in CHANCE} | {
        key: found[key] for key in SEARCHES
    }
    lead = (
        'Each simulated video has a thing that for some seconds is seen and heard at once. It may be seen or '
        'heard alone before and after, other things stand by silently, and another may be heard unseen.'
    )
    sections = [
        results_table('Events', events, REFERENCES | EVENTS, tuple(REFERENCES), EVENT_NOTES, EVENT_COLUMNS),
        results_table(
            'Across modalities', searches, CHANCE | SEARCHES, tuple(CHANCE), SEARCH_NOTES, SEARCH_COLUMNS
        ),
        timelines(work_dir, outcome),
        loss_curves(work_dir, EVENTS | SEARCHES, LOSSES, 'Losses, each with its weight.'),
    ]
    finish(work_dir, outcome, 'What is seen and heard at once, and when', sections, lead)
