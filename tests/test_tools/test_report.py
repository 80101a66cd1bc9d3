"""The report: one file, nothing from outside, and what it shows is what it was given."""

import base64
import io
import json
import re
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from html.parser import HTMLParser
from pathlib import Path

import cv2
import numpy as np
import pytest
import soundfile
from mmengine.visualization import LocalVisBackend
from scipy.signal import lfilter

sys.path.insert(0, str(Path(__file__).parents[2] / 'tools' / 'demos'))

from report import (
    Boxes,
    Card,
    Cards,
    Chart,
    Column,
    Curves,
    Picture,
    Row,
    Sound,
    Table,
    Text,
    image_data_uri,
    read_scalars,
    render_report,
    smooth,
    stereo_from_array,
    svg_curves,
    wav_data_uri,
    write_report,
)
from report.curves import nice_ticks

VOID = {'meta', 'link', 'img', 'br'}
CHROMIUM = next(filter(None, map(shutil.which, ('chromium', 'chromium-browser', 'google-chrome'))), None)
HOSTILE = '<script>alert("1")</script> & \'quotes\''


class Page(HTMLParser):
    """Collects tags, attributes and text, and checks that tags close in their order."""

    def __init__(self, html):
        super().__init__()
        self.tags, self.texts, self.open = [], [], []
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.texts.append(data)

    def find(self, tag):
        return [attributes for name, attributes in self.tags if name == tag]


def decode(uri):
    kind, content = re.fullmatch(r'data:([a-z]+/[a-z]+);base64,(.+)', uri).groups()
    return kind, base64.b64decode(content, validate=True)


def a_picture(height=65, width=152):
    image = np.zeros((height, width, 3), np.uint8)
    image[..., 0] = 200
    return image


def a_report():
    steps = np.arange(10.0, 400.0, 10.0)
    waveform = np.sin(np.arange(8 * 2000).reshape(8, 2000) / 20) * 0.2
    boxes = [
        Boxes([[10, 20, 40, 50]], 'truth'),
        Boxes([[12, 22, 42, 52], [1, 1, 9, 9]], 'found', ['0.91', HOSTILE]),
    ]
    card = Card(
        HOSTILE,
        [Picture(a_picture(), HOSTILE, boxes), Picture(a_picture(40, 80), image_format='png')],
        [Sound(stereo_from_array(waveform), 8000, HOSTILE)],
        {HOSTILE: HOSTILE},
        HOSTILE,
    )
    return [
        Text(HOSTILE, f'{HOSTILE}\n\n- one\n- {HOSTILE}'),
        Table(HOSTILE, [Column(HOSTILE)], [Row(HOSTILE, [HOSTILE], HOSTILE), Row('b', [1.0])], HOSTILE),
        Curves(HOSTILE, [Chart(HOSTILE, {HOSTILE: (steps, np.exp(-steps / 99))}, HOSTILE, HOSTILE)], HOSTILE),
        Cards(HOSTILE, [card], HOSTILE, dict(truth=HOSTILE, found='found')),
    ]


def test_report_holds_all_it_shows(tmp_path):
    file = write_report(tmp_path / 'new' / 'report.html', 'A report', a_report(), 'lead')
    assert [entry.name for entry in file.parent.iterdir()] == ['report.html']
    html = file.read_text(encoding='utf-8')
    assert not re.search(r'https?:|//[a-z]|url\(|@import', re.sub(r'base64,[^"]+', '', html))
    page = Page(html)
    assert not page.find('script')
    sources = [a['src'] for _, a in page.tags if 'src' in a] + [
        a['href'] for _, a in page.tags if 'href' in a
    ]
    assert all(source.startswith(('data:', '#s')) for source in sources)
    ids = {attributes['id'] for _, attributes in page.tags if 'id' in attributes}
    assert {source[1:] for source in sources if source.startswith('#')} <= ids

    kinds = [decode(attributes['src']) for attributes in page.find('img')]
    assert [kind for kind, _ in kinds] == ['image/jpeg', 'image/png']
    shapes = [cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR).shape for _, content in kinds]
    assert shapes == [(65, 152, 3), (40, 80, 3)]
    (audio,) = page.find('audio')
    sound, sample_rate = soundfile.read(io.BytesIO(decode(audio['src'])[1]))
    assert sound.shape == (2000, 2) and sample_rate == 8000 and 'controls' in audio


def test_texts_are_escaped():
    page = Page(render_report(HOSTILE, a_report(), HOSTILE))
    assert not page.find('script')
    assert sum(HOSTILE in text for text in page.texts) >= 18
    assert page.find('img')[0]['alt'] == HOSTILE


def test_report_opens_in_a_browser(tmp_path):
    """Two levels: the parser always; and headless Chromium, where one is installed."""
    sections = a_report()
    html = render_report('A report', sections)
    page = Page(html)
    assert len(page.find('img')) == 2 and len(page.find('audio')) == 1 and len(page.find('svg')) == 2
    if CHROMIUM is None:
        return
    # a copy that may run a script tells what the browser made of the images
    probe = """<script>addEventListener('load', () => {
      const rects = [...document.querySelectorAll('.picture rect.found')].map(r => r.getBoundingClientRect());
      document.title = JSON.stringify({
        images: [...document.images].map(i => [i.naturalWidth, i.naturalHeight]),
        sounds: [...document.querySelectorAll('audio')].map(a => a.error === null),
        boxes: rects.map(r => r.width > 0), fits: document.body.scrollWidth <= innerWidth,
      })})</script>"""
    copy = tmp_path / 'probe.html'
    copy.write_text(
        html.replace("default-src 'none'", "script-src 'unsafe-inline'") + probe, encoding='utf-8'
    )
    command = [CHROMIUM, *'--headless --no-sandbox --disable-gpu --disable-quic --no-first-run'.split()]
    command += '--disable-background-networking --disable-component-update --disable-sync'.split()
    command += '--enable-logging=stderr --virtual-time-budget=5000 --dump-dom'.split()
    command += [f'--user-data-dir={tmp_path / "profile"}', f'file://{copy}']
    result = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert result.returncode == 0, result.stderr
    assert 'CONSOLE' not in result.stderr, result.stderr
    title = re.search(r'<title>(\{.*?\})</title>', result.stdout)
    assert title, result.stdout[-500:]
    seen = json.loads(title.group(1))
    assert seen == dict(pictures=[[152, 65], [80, 40]], sounds=[True], boxes=[True, True], fits=True)


def test_table_marks_the_best_as_printed():
    columns = [Column('AP'), Column('CD', 'lower', 2), Column('it', None, 0)]
    rows = [
        Row('floor', [99.0, 0.01, 1], reference=True),
        Row('a', [12.34, (3.0, 0.25), 450]),
        Row('b', [12.31, 2.0, 450]),
        Row('c', [11.0, None, float('nan')]),
    ]
    table = Table('t', columns, rows)
    assert [table.best_rows(i) for i in range(3)] == [{1, 2}, {2}, set()]
    html = table.to_html()
    assert html.count('class=best') == 3
    assert '3.00 <small>± 0.25</small>' in html and '<td>–</td>' in html
    Page(html)


def test_table_says_what_does_not_fit():
    with pytest.raises(ValueError, match="row 'a' has 1 values for 2 columns"):
        Table('t', [Column('x'), Column('y')], [Row('a', [1])])
    with pytest.raises(ValueError, match='higher'):
        Column('x', 'more')


def test_pictures_keep_colors_and_boxes_keep_their_pixels():
    picture = Picture(
        a_picture(650, 1520), boxes=[Boxes([[10, 20, 40, 60]])], max_width=380, image_format='png'
    )
    page = Page(picture.to_html())
    image = cv2.imdecode(np.frombuffer(decode(page.find('img')[0]['src'])[1], np.uint8), cv2.IMREAD_COLOR)
    assert image.shape[1] == 380
    assert image[5, 5].tolist() == [0, 0, 200]  # red as cv2 reads it
    assert page.find('svg')[0]['viewbox'] == '0 0 1520 650'
    rect = next(attributes for attributes in page.find('rect') if attributes['class'] == 'truth')
    assert [rect[key] for key in ('x', 'y', 'width', 'height')] == ['10.0', '20.0', '30.0', '40.0']


@pytest.mark.parametrize('image', [np.zeros((4, 4, 3)), np.zeros((4, 4, 4), np.uint8), np.zeros(4, np.uint8)])
def test_bad_pictures_are_refused(image):
    with pytest.raises(ValueError, match='an image is'):
        image_data_uri(image)


def test_bad_boxes_are_refused():
    with pytest.raises(ValueError, match='1 labels for 2 boxes'):
        Boxes(np.zeros((2, 4)), labels=['a'])
    with pytest.raises(ValueError, match='kind'):
        Boxes(np.zeros((2, 4)), 'wrong')
    assert Boxes([]).to_svg(10) == ''


@pytest.mark.parametrize('dtype', [np.int16, np.float32])
def test_sounds_keep_the_difference_of_the_ears(dtype):
    waveform = np.stack([np.linspace(-1, 1, 100) * (k + 1) for k in range(8)])
    waveform = (waveform * 1000).astype(np.int16) if dtype == np.int16 else (waveform / 50).astype(dtype)
    kind, content = decode(wav_data_uri(stereo_from_array(waveform), 44100))
    sound, sample_rate = soundfile.read(io.BytesIO(content))
    assert (kind, sample_rate) == ('audio/wav', 44100)
    assert soundfile.info(io.BytesIO(content)).subtype == 'PCM_16'
    assert np.abs(sound).max() == pytest.approx(0.7, abs=1e-3)
    # left is microphone 6 (7 times the ramp), right is microphone 1 (twice)
    assert np.abs(sound[:, 0]).max() / np.abs(sound[:, 1]).max() == pytest.approx(3.5, rel=1e-3)


def test_sounds_can_keep_their_level_and_silence_stays():
    sound, _ = soundfile.read(io.BytesIO(decode(wav_data_uri(np.full(50, 0.25), 8000, peak=None))[1]))
    np.testing.assert_allclose(sound, 0.25, atol=1e-4)
    silence, _ = soundfile.read(io.BytesIO(decode(wav_data_uri(np.zeros(50), 8000))[1]))
    assert not silence.any()


@pytest.mark.parametrize(
    'waveform, message',
    [
        (np.zeros((2, 0)), 'with samples'),
        (np.array([0.1, np.nan]), 'not finite'),
        (np.array([1, 2], dtype=np.int64), 'int64'),
        (np.array([0.1, 3.0]), 'beyond'),
    ],
)
def test_bad_sounds_are_refused(waveform, message):
    with pytest.raises(ValueError, match=message):
        wav_data_uri(waveform, 8000, peak=None)


def test_missing_microphones_are_refused():
    with pytest.raises(ValueError, match='channels 6 and 1'):
        stereo_from_array(np.zeros((2, 100)))


@pytest.mark.parametrize(
    'low, high, ticks',
    [
        (0, 1, [0, 0.2, 0.4, 0.6, 0.8, 1.0]),
        (0.3, 9.4, [0, 2, 4, 6, 8, 10]),
        (-30, 20, [-30, -20, -10, 0, 10, 20]),
        (5, 5, [4.4, 4.6, 4.8, 5.0, 5.2, 5.4, 5.6]),
    ],
)
def test_ticks_are_round_and_cover_the_range(low, high, ticks):
    found = nice_ticks(low, high)
    assert found[0] <= low and found[-1] >= high
    np.testing.assert_allclose(found, ticks)


def test_curves_are_where_their_values_are():
    svg = svg_curves({'a': (np.array([0.0, 50.0, 100.0]), np.array([0.0, np.nan, 10.0]))}, smoothing=0)
    chart = ElementTree.fromstring(svg.split('</svg>')[0] + '</svg>')
    (line,) = (path for path in chart.iter('path') if path.get('class') == 'line c0')
    assert line.get('d') == 'M56.0 258.0M628.0 12.0'  # the corners of the axes, and a gap between
    titles = [title.text for title in chart.iter('title')]
    assert titles == ['a: 0 at iteration 0', 'a: 10 at iteration 100']
    labels = [text.text for text in chart.iter('text')]
    assert {'0', '2', '10', '100', 'iteration', 'loss'} <= set(labels)


def test_long_curves_stay_light_and_reach_their_end():
    steps = np.arange(1.0, 50_001.0)
    svg = svg_curves({'a': (steps, np.sin(steps)), 'b': (steps, np.cos(steps))}, colors=[3, 4])
    assert len(svg) < 40_000
    assert 'at iteration 50000' in svg
    assert 'line c3' in svg and 'line c4' in svg


def test_curves_that_cannot_be_drawn_are_refused():
    with pytest.raises(ValueError, match='no finite value'):
        svg_curves({'a': (np.array([1.0]), np.array([np.nan]))})
    with pytest.raises(ValueError, match="curve 'a'"):
        svg_curves({'a': (np.array([1.0, 2.0]), np.array([1.0]))})
    assert 'mark' in svg_curves({'a': (np.array([1.0]), np.array([1.0]))})


def test_smoothing_equals_a_filter_over_its_own_mass():
    values = np.random.default_rng(0).standard_normal(60)
    expected = lfilter([0.1], [1, -0.9], values) / lfilter([0.1], [1, -0.9], np.ones(60))
    np.testing.assert_allclose(smooth(values, 0.9), expected)
    np.testing.assert_allclose(smooth(np.full(5, 3.0), 0.8), 3.0)
    np.testing.assert_allclose(smooth(values, 0.0), values)
    gapped = smooth(np.array([1.0, np.nan, 1.0]), 0.5)
    assert np.isnan(gapped[1]) and gapped[2] == pytest.approx(1.0)
    with pytest.raises(ValueError, match='weight'):
        smooth(values, 1.0)


def write_scalars(folder, steps, scale):
    backend = LocalVisBackend(str(folder / 'vis_data'))
    for step in steps:
        backend.add_scalars(dict(loss=scale / step, lr=0.1, step=step))
    backend.add_scalar('coco/bbox_mAP', 0.25 * scale, 1)


def test_scalars_of_mmengine_come_back_and_a_resumed_run_goes_on(tmp_path):
    write_scalars(tmp_path / '20240101_000000', [10, 20, 30], 1.0)
    write_scalars(tmp_path / '20240101_010000', [30, 40], 2.0)
    curves = read_scalars(tmp_path)
    assert set(curves) == {'loss', 'lr', 'coco/bbox_mAP'}
    steps, values = curves['loss']
    assert steps.tolist() == [10, 20, 30, 40]
    np.testing.assert_allclose(values, [0.1, 0.05, 2 / 30, 0.05])
    assert curves['coco/bbox_mAP'][1].tolist() == [0.5]
    file = tmp_path / '20240101_000000' / 'vis_data' / 'scalars.json'
    assert read_scalars(file)['loss'][0].tolist() == [10, 20, 30]


def test_a_half_written_last_line_is_left_out_and_a_broken_one_named(tmp_path):
    file = tmp_path / 'scalars.json'
    file.write_text('{"loss": 1.0, "step": 1}\n{"loss": 0.5, "st')
    assert read_scalars(file)['loss'][0].tolist() == [1]
    file.write_text('{"loss": 1.0, "st\n{"loss": 0.5, "step": 2}\n')
    with pytest.raises(ValueError, match='line 1, is no json'):
        read_scalars(file)
    file.write_text('{"loss": 1.0}\n')
    with pytest.raises(ValueError, match='has no step'):
        read_scalars(file)
    with pytest.raises(FileNotFoundError, match='vis_data'):
        read_scalars(tmp_path / 'nothing')
