"""The report of ``demo_localize.py``."""

from pathlib import Path

import mmcv
import numpy as np
from common_report import finish, loss_curves, results_table, spread
from report import Boxes, Card, Cards, Column, Figure, Row, Sound, Table
from sound_switching import switched_pairs

from mmav.media.audio_files import read_audio
from mmav.visualization import blend_heatmap

NAMES = {
    'whole_image': ('The whole image', 'uses no input'),
    'centred_box': ('A box in the middle', 'uses no input; half the image'),
    'none': ('No teacher', 'pairs of image and sound alone'),
    'audio': ('Audio teacher', 'sounds are drawn to those of a classifier of sounds'),
    'visual': ('Visual teacher', 'images are drawn to those of a classifier of images'),
    'both': ('Both teachers', 'AVC'),
    'guided': ('Both, guided by objects', 'OG-AVC: 0.6 AVC + 0.4 the visual teacher, at the test'),
}
BASELINES = ('whole_image', 'centred_box')
LOCALIZERS = ('none', 'audio', 'visual', 'both')
COLUMNS = {
    'ciou/ciou_at_50': Column('cIoU@0.5'),
    'ciou/auc': Column('AUC'),
    'ciou/mean_ciou': Column('mean cIoU'),
}
NOTES = (
    'Percent, on test clips that show what sounds. Of each map the half above its median is on; cIoU is its '
    'overlap with the boxes of what sounds. cIoU@0.5: share of clips with a cIoU of at least 0.5; AUC: area '
    'under this share over all thresholds.'
)
# cIoU and AUC on Flickr-SoundNet after training on 10,000 clips, tables 2 and 3 of the paper
PAPER = {
    'none': (67.4, 56.3),
    'audio': (74.5, 58.4),
    'visual': (71.6, 57.9),
    'both': (77.7, 59.9),
    'guided': (82.7, 62.8),
}
ON_COLUMNS = {
    f'ciou/{kind}/false_positive_rate': Column(name, better='lower')
    for kind, name in (
        ('silence', 'silence'),
        ('noise', 'noise'),
        ('other', "another clip's"),
        ('offscreen', 'off screen'),
    )
} | {'ciou/other/auroc': Column("AUROC, another clip's")}
ON_NOTES = (
    "Percent of the maps that stay on with a sound that is not the image's: silence, noise, that of "
    'another kind of thing (now and then the silent thing beside), and clips whose own thing is off screen. '
    'A map is on if its largest cosine reaches the level that 95 % of the clips reach with their own sound; '
    '95 is what a model gets that ignores the sound. AUROC: how often a clip has the larger maximum with its '
    "own sound than one with another's (50: by chance). Guided maps are normalized one by one, so nothing "
    'can be said of them.'
)
SWITCH_COLUMNS = {
    'switch/own': Column('what sounds'),
    'switch/silent': Column('the silent thing'),
    'switch/both': Column('both'),
}
SWITCH_NOTES = (
    'Share of {clips:.0f} test clips with a cIoU of at least 0.5. They show two things, one of them silent. '
    'First the model hears the own sound and has to find what makes it; then it hears the sound of the '
    'silent thing, from another clip, and has to find that. Both: it found each in the same image. A model '
    'that ignores the sound has one map for both sounds, which cannot overlap enough with both things.'
)


def beside_the_paper(metrics: dict) -> Table:
    """What each teacher adds here, and what it added in the paper."""
    rows = []
    for key, (ciou, auc) in PAPER.items():
        own = metrics[key]
        gain = own['ciou/ciou_at_50'] - metrics['none']['ciou/ciou_at_50']
        values = [own['ciou/ciou_at_50'], f'{gain:+.1f}', ciou, f'{ciou - PAPER["none"][0]:+.1f}', auc]
        rows.append(Row(NAMES[key][0], values, reference=key == 'guided'))
    columns = [
        Column('cIoU@0.5, here'),
        Column('over no teacher', better=None),
        Column('the paper'),
        Column('over no teacher', better=None),
        Column("the paper's AUC"),
    ]
    notes = (
        'The paper: trained on 10,000 clips of Flickr-SoundNet, tested on its test set, with DETR and PANNs '
        'as teachers, mean of ten runs (tables 2 and 3). Data, size and teachers are others here: the '
        'order may be compared, not the figures. One run here; docs/demo.md has three.'
    )
    return Table("Beside the paper's ablation", columns, rows, notes)


def teachers_table(metrics: dict) -> Table:
    """How well the stand-ins tell the kinds apart."""
    rows = [
        Row(name, [metrics[key]['accuracy/top1']])
        for key, name in (
            ('teacher_audio', 'Audio teacher, on sounds'),
            ('teacher_visual', 'Visual teacher, on images that show one thing'),
        )
    ]
    notes = 'Percent of test clips told right, of eight kinds; learned from a labeled list of their own.'
    return Table('The teachers', [Column('accuracy', better=None)], rows, notes)


def examples(outcome: dict, work_dir: Path) -> Cards:
    """Some of the clips with a silent thing, with the maps of all models."""
    data = Path(outcome['data'])
    pairs = switched_pairs(data)
    places = spread(len(pairs), outcome['shown'])
    maps = {}
    for key in (*LOCALIZERS, 'guided'):
        with np.load(work_dir / key / 'maps.npz') as file:
            maps[key] = dict(file)
    cards = []
    for number, place in enumerate(places):
        pair = pairs[place]
        image = mmcv.imread(str(data / 'frames' / f'{pair["file"]}.jpg'), channel_order='rgb')
        height, width = image.shape[:2]
        size = [width, height, width, height]
        sounding = Boxes(np.array(pair['boxes']) * size, 'truth')
        silent = Boxes(np.array(pair['silent_boxes']) * size, 'other')
        figures = [Figure(image, 'the image', [sounding, silent])]
        for key, values in maps.items():
            name = NAMES[key][0].lower()
            figures.append(Figure(blend_heatmap(image, values['own'][number]), name, [sounding]))
        switched = blend_heatmap(image, maps['both']['switched'][number])
        figures.append(Figure(switched, f'both teachers, hearing a {pair["silent_kind"]}', [silent]))
        sounds = []
        for stem, caption in ((pair['file'], 'own sound'), (pair['other'], f'a {pair["silent_kind"]}')):
            wave = read_audio(str(data / 'audio' / f'{stem}.wav'))
            sounds.append(Sound(wave.values, wave.sample_rate, caption))
        facts = {'heard': pair['kind'], 'silent': pair['silent_kind']}
        cards.append(Card(f'Clip {pair["file"]}', figures, sounds, facts))
    legend = {'truth': 'what sounds', 'other': 'the silent thing'}
    intro = (
        'Every so many of the test clips with a silent thing, none chosen by hand. Each map has its own '
        'colors, from its least to its greatest value.'
    )
    return Cards('Test clips', cards, intro, legend)


def write_localize_report(work_dir: Path, outcome: dict) -> None:
    """Write ``report.html`` of what ``run_demo`` returned, and print the tables."""
    metrics = outcome['metrics']
    train, _, test, labeled = outcome['clips']
    lead = (
        f'From {train} simulated clips, an image and a sound each and nothing else, networks learn which '
        f'pixels make the sound. {test} clips test them. Stand-ins for the teachers of the paper learned '
        f'from {labeled} other clips, which are labeled.'
    )
    models = {key: name for key, name in NAMES.items() if key not in BASELINES}
    trained = {key: NAMES[key] for key in LOCALIZERS}
    switch_notes = SWITCH_NOTES.format(clips=metrics['none']['switch/clips'])
    curve_notes = 'Contrastive loss, and those of the hints times their weights.'
    losses = ('loss_similarity', 'loss_audio_hint', 'loss_visual_hint')
    sections = [
        results_table('Results', metrics, NAMES, (*BASELINES, 'guided'), NOTES, COLUMNS),
        beside_the_paper(metrics),
        results_table('Is the audio used?', metrics, trained, (), ON_NOTES, ON_COLUMNS),
        results_table('Two things, two sounds', metrics, models, ('guided',), switch_notes, SWITCH_COLUMNS),
        examples(outcome, work_dir),
        teachers_table(metrics),
        loss_curves(work_dir, trained, losses, curve_notes),
    ]
    finish(work_dir, outcome, 'Which pixels make the sound', sections, lead)
