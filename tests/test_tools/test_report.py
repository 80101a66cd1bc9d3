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

sys.path.insert(0, str(Path(__file__).parents[2] / 'tools' / 'demos'))

from report import (
    Boxes,
    Card,
    Cards,
    Chart,
    Column,
    Curves,
    Figure,
    Row,
    Sound,
    Table,
    Text,
    read_scalars,
    render_report,
    write_report,
)

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
    kind, content = re.fullmatch(r'data:([a-z]+/[a-z+]+);base64,(.+)', uri).groups()
    return kind, base64.b64decode(content, validate=True)


def an_image(height=65, width=152):
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
        [Figure(an_image(), HOSTILE, boxes), Figure(an_image(40, 80), image_format='png')],
        [Sound(waveform[:2], 8000, HOSTILE)],
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
    assert [kind for kind, _ in kinds] == ['image/svg+xml', 'image/jpeg', 'image/png']
    images = [np.frombuffer(content, np.uint8) for _, content in kinds[1:]]
    shapes = [cv2.imdecode(image, cv2.IMREAD_COLOR).shape for image in images]
    assert shapes == [(65, 152, 3), (40, 80, 3)]
    (audio,) = page.find('audio')
    sound, sample_rate = soundfile.read(io.BytesIO(decode(audio['src'])[1]))
    assert sound.shape == (2000, 2) and sample_rate == 8000 and 'controls' in audio


def test_texts_are_escaped():
    page = Page(render_report(HOSTILE, a_report(), HOSTILE))
    assert not page.find('script')
    assert sum(HOSTILE in text for text in page.texts) >= 15
    assert page.find('img')[1]['alt'] == HOSTILE


def test_report_opens_in_a_browser(tmp_path):
    """Two levels: the parser always; and headless Chromium, where one is installed."""
    sections = a_report()
    html = render_report('A report', sections)
    page = Page(html)
    assert len(page.find('img')) == 3 and len(page.find('audio')) == 1 and len(page.find('svg')) == 1
    if CHROMIUM is None:
        return
    # a copy that may run a script tells what the browser made of the images
    probe = """<script>addEventListener('load', () => {
      const rects = [...document.querySelectorAll('.image rect.found')].map(r => r.getBoundingClientRect());
      document.title = JSON.stringify({
        images: [...document.images].slice(1).map(i => [i.naturalWidth, i.naturalHeight]),
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
    assert seen == dict(images=[[152, 65], [80, 40]], sounds=[True], boxes=[True, True], fits=True)


def test_table_marks_the_best_as_printed():
    columns = [Column('AP'), Column('CD', 'lower', 2), Column('it', None, 0)]
    rows = [
        Row('floor', [99.0, 0.01, 1], reference=True),
        Row('a', [12.34, 3.0, 450]),
        Row('b', [12.31, 2.0, 450]),
        Row('c', [11.0, None, float('nan')]),
    ]
    table = Table('t', columns, rows)
    assert [table.best_rows(i) for i in range(3)] == [{1, 2}, {2}, set()]
    html = table.to_html()
    assert html.count('class=best') == 3
    assert '<td>3.00</td>' in html and '<td>–</td>' in html
    Page(html)


def test_images_keep_colors_and_boxes_keep_their_pixels():
    figure = Figure(an_image(650, 1520), boxes=[Boxes([[10, 20, 40, 60]])], max_width=380, image_format='png')
    page = Page(figure.to_html())
    image = cv2.imdecode(np.frombuffer(decode(page.find('img')[0]['src'])[1], np.uint8), cv2.IMREAD_COLOR)
    assert image.shape[1] == 380
    assert image[5, 5].tolist() == [0, 0, 200]  # red as cv2 reads it
    assert page.find('svg')[0]['viewbox'] == '0 0 1520 650'
    rect = next(attributes for attributes in page.find('rect') if attributes['class'] == 'truth')
    assert [rect[key] for key in ('x', 'y', 'width', 'height')] == ['10.0', '20.0', '30.0', '40.0']


@pytest.mark.parametrize('dtype', [np.int16, np.float32])
def test_sounds_keep_the_difference_of_the_ears(dtype):
    waveform = np.stack([np.linspace(-1, 1, 100) * (k + 1) for k in range(8)])
    waveform = (waveform * 1000).astype(np.int16) if dtype == np.int16 else (waveform / 50).astype(dtype)
    (player,) = Page(Sound(waveform[[6, 1]], 44100).to_html()).find('audio')
    kind, content = decode(player['src'])
    sound, sample_rate = soundfile.read(io.BytesIO(content))
    assert (kind, sample_rate) == ('audio/wav', 44100)
    assert soundfile.info(io.BytesIO(content)).subtype == 'PCM_16'
    assert np.abs(sound).max() == pytest.approx(0.7, abs=1e-3)
    # seven times the ramp and twice
    assert np.abs(sound[:, 0]).max() / np.abs(sound[:, 1]).max() == pytest.approx(3.5, rel=1e-3)


def test_silence_stays():
    (player,) = Page(Sound(np.zeros(50), 8000).to_html()).find('audio')
    silence, _ = soundfile.read(io.BytesIO(decode(player['src'])[1]))
    assert len(silence) == 50 and not silence.any()


def line_of(chart: Chart) -> list[list[tuple[float, float]]]:
    """Points of a chart's last line, of which there are two without and three with an average, by stretch."""
    (image,) = Page(chart.to_html()).find('img')
    svg = ElementTree.fromstring(decode(image['src'])[1])
    (lines,) = [e for e in svg.iter() if e.get('id') == 'axes_1']
    paths = [e.get('d') for e in lines.iter('{http://www.w3.org/2000/svg}path') if 'clip-path' in e.keys()]
    points = re.findall(r'([ML]) ([0-9.]+) ([0-9.]+)', paths[-1])
    stretches = []
    for command, x, y in points:
        if command == 'M':
            stretches.append([])
        stretches[-1].append((float(x), float(y)))
    return stretches


def test_curves_are_where_their_values_are():
    steps, values = np.arange(5.0), np.array([0.0, 10.0, np.nan, 5.0, 0.0])
    first, second = line_of(Chart('', {'a': (steps, values)}, smooth=False))
    (x0, y0), (x1, y1), (x3, y3), (x4, y4) = first + second
    assert [x1 - x0, (x3 - x0) / 3, (x4 - x0) / 4] == pytest.approx([x1 - x0] * 3, rel=1e-4)
    assert y0 == y4 > y3 > y1  # down the page
    assert y0 - y1 == pytest.approx(2 * (y0 - y3), rel=1e-4)


def test_averages_start_at_the_first_value_and_settle():
    steps, values = np.arange(60.0), np.r_[1.0, np.zeros(59)]
    (raw,) = line_of(Chart('', {'a': (steps, values)}, smooth=False))
    (smooth,) = line_of(Chart('', {'a': (steps, values)}))
    assert smooth[0] == pytest.approx(raw[0], abs=0.1)
    # the first of two values weighs 0.8 x 0.2, the second 0.2
    height = (smooth[1][1] - raw[1][1]) / (raw[0][1] - raw[1][1])
    assert height == pytest.approx(0.16 / 0.36, abs=1e-3)


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


def test_a_half_written_last_line_is_left_out_and_a_broken_one_is_an_error(tmp_path):
    file = tmp_path / 'start' / 'vis_data' / 'scalars.json'
    file.parent.mkdir(parents=True)
    file.write_text('{"loss": 1.0, "step": 1}\n{"loss": 0.5, "st')
    assert read_scalars(tmp_path)['loss'][0].tolist() == [1]
    file.write_text('{"loss": 1.0, "st\n{"loss": 0.5, "step": 2}\n')
    with pytest.raises(json.JSONDecodeError):
        read_scalars(tmp_path)
    with pytest.raises(FileNotFoundError, match='vis_data'):
        read_scalars(tmp_path / 'nothing')
