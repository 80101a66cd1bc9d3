"""Videos against what was written into them, and against OpenCV and soundfile."""

from fractions import Fraction

import av
import cv2
import numpy as np
import pytest
import soundfile

from mmav.media.video import (
    iter_video_frames,
    read_video_audio,
    read_video_frames,
    read_video_info,
)
from mmav.media.video_writer import write_video
from mmav.utils.errors import SampleError

RATE = 16000


def gray(value: float, height: int = 48, width: int = 64) -> np.ndarray:
    return np.full((height, width, 3), value, np.uint8)


def levels(frames: np.ndarray) -> list[int]:
    """Which image of ``ramp`` each is, from its gray value."""
    return np.round((frames.mean((1, 2, 3)) - 20) / 5).astype(int).tolist()


def tone(seconds: float, rate: int = RATE, frequency: float = 440) -> np.ndarray:
    return 0.5 * np.sin(2 * np.pi * frequency * np.arange(round(seconds * rate)) / rate)


@pytest.fixture(scope='module')
def ramp(tmp_path_factory):
    """40 images at 10 a second, image i of gray 20 + 5 i; a tone that begins at 1 s."""
    path = tmp_path_factory.mktemp('videos') / 'ramp.mp4'
    sound = np.concatenate([np.zeros(RATE), tone(3)])
    write_video(path, (gray(20 + 5 * i) for i in range(40)), 10, sound, RATE)
    return path


@pytest.mark.parametrize(
    ('fps', 'start', 'end', 'expected'),
    [
        (10, 0, None, list(range(40))),
        (5, 0, 2, [0, 2, 4, 6, 8, 10, 12, 14, 16, 18]),
        (4, 0, 1, [0, 2, 5, 7]),  # shown at 0, 0.25, 0.5 and 0.75 s
        (20, 1.5, 1.7, [15, 15, 16, 16]),
        (30, 3.9, None, [39, 39, 39]),
        (10, 3.55, 9, [35, 36, 37, 38, 39]),  # the video ends at 4 s
        (0.5, 0, None, [0, 20]),
    ],
)
def test_images_are_those_that_a_player_shows(ramp, fps, start, end, expected):
    frames = read_video_frames(ramp, fps, start, end)
    assert frames.shape == (len(expected), 48, 64, 3) and frames.dtype == np.uint8
    assert levels(frames) == expected


def test_images_equal_those_of_opencv(ramp):
    reader, expected = cv2.VideoCapture(str(ramp)), []
    while (got := reader.read())[0]:
        expected.append(got[1][..., ::-1])
    ours = np.stack(list(iter_video_frames(ramp, 10)))
    assert np.abs(ours.astype(int) - np.stack(expected)).max() <= 2


def test_a_phone_held_upright_gives_upright_images(tmp_path):
    frame = gray(30)
    frame[:24, :32] = (240, 30, 30)
    write_video(tmp_path / 'lying.mp4', [frame] * 2, 5)
    # the track header's matrix: identity to a quarter of a turn
    one, zero, minus = b'\0\1\0\0', bytes(4), b'\xff\xff\0\0'
    identity, turned = one + zero * 3 + one, zero + one + zero + minus + zero
    head, track = (tmp_path / 'lying.mp4').read_bytes().split(b'tkhd')
    (tmp_path / 'upright.mp4').write_bytes(head + b'tkhd' + track.replace(identity, turned, 1))
    ours = read_video_frames(tmp_path / 'upright.mp4', 5)[0]
    expected = cv2.VideoCapture(str(tmp_path / 'upright.mp4')).read()[1][..., ::-1]
    assert ours.shape == expected.shape == (64, 48, 3)
    assert np.abs(ours.astype(int) - expected).mean() < 1
    assert ours[:32, 24:, 0].min() > 200  # what was above on the left is above on the right


def test_colors_keep_their_order(tmp_path):
    red = gray(0)
    red[..., 0] = 220
    write_video(tmp_path / 'red.mp4', [red] * 3, 25)
    mean = read_video_frames(tmp_path / 'red.mp4', 25).mean((0, 1, 2))
    np.testing.assert_allclose(mean, (220, 0, 0), atol=4)


def test_odd_sizes_repeat_the_last_row_and_column(tmp_path):
    image = np.zeros((31, 45, 3), np.uint8)
    image[:, 22:] = 200
    write_video(tmp_path / 'odd.mp4', [image] * 2, 5, crf=0)
    frames = read_video_frames(tmp_path / 'odd.mp4', 5)
    assert frames.shape == (2, 32, 46, 3)
    assert np.abs(frames[1, :31, :45].astype(int) - image).max() <= 4 and frames[1, 31, 45].min() > 195


def test_sound_stays_with_the_images(ramp):
    wave = read_video_audio(ramp, RATE)
    assert wave.dtype == np.float32 and wave.ndim == 1
    assert abs(len(wave) - 4 * RATE) <= 1024  # a frame of AAC
    assert np.abs(wave[: RATE - 100]).max() < 0.02
    np.testing.assert_allclose(wave[RATE + 2048 : 3 * RATE], tone(3)[2048 : 2 * RATE], atol=0.02)
    half = read_video_audio(ramp, RATE // 2)
    np.testing.assert_allclose(half[RATE : RATE + 4000], wave[2 * RATE : 2 * RATE + 8000 : 2], atol=0.01)


def test_channels_are_averaged(tmp_path):
    left, right = tone(1, 44100), tone(1, 44100, 700)
    soundfile.write(tmp_path / 'stereo.wav', np.stack([left, right], 1), 44100, subtype='PCM_16')
    wave = read_video_audio(tmp_path / 'stereo.wav', 44100)
    np.testing.assert_allclose(wave, (left + right) / 2, atol=1e-4)


def test_sound_that_begins_later_has_silence_in_front(tmp_path):
    with av.open(str(tmp_path / 'late.mkv'), 'w') as container:
        video, sound = (
            container.add_stream('libx264', 10),
            container.add_stream('pcm_s16le', RATE, layout='mono'),
        )
        video.width, video.height, video.pix_fmt = 64, 48, 'yuv420p'
        for _ in range(20):
            container.mux(video.encode(av.VideoFrame.from_ndarray(gray(90), format='rgb24')))
        container.mux(video.encode())
        samples = (tone(1)[None] * 32767).astype(np.int16)
        frame = av.AudioFrame.from_ndarray(samples, format='s16', layout='mono')
        frame.sample_rate, frame.pts, frame.time_base = RATE, RATE // 2, Fraction(1, RATE)
        container.mux(sound.encode(frame))
        container.mux(sound.encode())
    wave = read_video_audio(tmp_path / 'late.mkv', RATE)
    assert len(wave) == RATE * 3 // 2 and not wave[: RATE // 2].any()
    np.testing.assert_allclose(wave[RATE // 2 :], tone(1), atol=1e-3)


def test_info(ramp, tmp_path):
    info = read_video_info(ramp)
    assert info.duration == pytest.approx(4, abs=0.1)
    assert info[1:] == (10, (64, 48), RATE)
    soundfile.write(tmp_path / 'a.wav', tone(0.5), RATE)
    assert read_video_info(tmp_path / 'a.wav') == (0.5, None, None, RATE)


def test_files_that_cannot_be_used_are_named(ramp, tmp_path):
    with pytest.raises(SampleError, match=r'none\.mp4: the file is missing'):
        read_video_frames(tmp_path / 'none.mp4', 1)
    (tmp_path / 'text.mp4').write_text('no video')
    with pytest.raises(SampleError, match=r'text\.mp4: not a readable video'):
        read_video_audio(tmp_path / 'text.mp4', RATE)
    (tmp_path / 'half.mp4').write_bytes(ramp.read_bytes()[:4000])
    with pytest.raises(SampleError, match=r'half\.mp4'):
        read_video_frames(tmp_path / 'half.mp4', 1)
    soundfile.write(tmp_path / 'a.wav', tone(0.5), RATE)
    with pytest.raises(SampleError, match='no images'):
        read_video_frames(tmp_path / 'a.wav', 1)
    write_video(tmp_path / 'mute.mp4', [gray(0)], 1)
    with pytest.raises(SampleError, match='no sound'):
        read_video_audio(tmp_path / 'mute.mp4', RATE)
    with pytest.raises(SampleError, match=r'end before 7\.5 s'):
        read_video_frames(ramp, 1, 7.5)
    with pytest.raises(ValueError, match='bad fps 0'):
        read_video_frames(ramp, 0)


@pytest.mark.parametrize('suffix', ['.mp4', '.mkv'])
def test_a_file_that_is_cut_off_is_no_shorter_video(ramp, tmp_path, suffix):
    path, truncated = tmp_path / f'head_first{suffix}', tmp_path / f'truncated{suffix}'
    with (
        av.open(str(ramp)) as source,
        av.open(str(path), 'w', options={'movflags': 'faststart'}) as container,
    ):
        streams = {s.index: container.add_stream_from_template(s) for s in source.streams}
        for packet in source.demux():
            if packet.dts is not None:
                packet.stream = streams[packet.stream.index]
                container.mux(packet)
    assert len(read_video_frames(path, 10)) in (40, 41)  # mkv: the images begin after the sound's lead-in
    content = path.read_bytes()
    truncated.write_bytes(content[: len(content) // 2])
    for read in (lambda: read_video_frames(truncated, 10), lambda: read_video_audio(truncated, RATE)):
        with pytest.raises(
            SampleError,
            match=rf'truncated\{suffix}: (is truncated: its \w+ ends at \d\.\d+ of 4\.\d+ s|.*damaged)',
        ):
            read()
    assert len(read_video_frames(truncated, 10, 0, 0.5)) == 5  # what is there can be had


def write_streams(path, codecs, seconds=4.0, hole=(0.0, 0.0)) -> None:
    """10 images a second, and sound with a click at the start of each half second but for a hole (s)."""
    with av.open(str(path), 'w') as out:
        video, audio = (
            out.add_stream(codecs[0], rate=10),
            out.add_stream(codecs[1], rate=48000, layout='mono'),
        )
        video.width = video.height = 64
        video.pix_fmt = 'yuv420p'
        samples = np.zeros(round(48000 * seconds), np.int16)
        for start in range(0, len(samples), 24000):
            samples[start : start + 480] = 20000
        image = np.random.default_rng(0).integers(0, 255, (64, 64, 3)).astype(np.uint8)
        block, start = 1024 if codecs[1] == 'aac' else 960, 0
        for number in range(round(10 * seconds)):
            frame = av.VideoFrame.from_ndarray(image, format='rgb24')
            frame.pts, frame.time_base = number, Fraction(1, 10)
            out.mux(video.encode(frame))
            while start < min(4800 * (number + 1), len(samples)):
                if not hole[0] <= start / 48000 < hole[1]:
                    sound = samples[None, start : start + block]
                    frame = av.AudioFrame.from_ndarray(sound, format='s16', layout='mono')
                    frame.sample_rate, frame.pts, frame.time_base = 48000, start, Fraction(1, 48000)
                    out.mux(audio.encode(frame))
                start += block
        out.mux([*video.encode(None), *audio.encode(None)])


CODECS = {
    '.mkv': ('libx264', 'aac'),
    '.webm': ('libvpx', 'libopus'),
    '.avi': ('mpeg4', 'pcm_s16le'),
    '.mp4': ('libx264', 'aac'),
    '.mov': ('libx264', 'pcm_s16le'),
}


@pytest.mark.parametrize('suffix', CODECS)
def test_each_stream_ends_where_its_header_says(tmp_path, suffix):
    path = tmp_path / f'a{suffix}'
    write_streams(path, CODECS[suffix])
    assert len(read_video_frames(path, 10)) == 40
    assert abs(len(read_video_audio(path, RATE)) - 4 * RATE) < 0.04 * RATE
    content = path.read_bytes()
    for share in (0.3, 0.6, 0.9):
        path.write_bytes(content[: round(share * len(content))])
        with pytest.raises(SampleError, match=rf'a\{suffix}: (is truncated: its audio|.*damaged)'):
            read_video_audio(path, RATE)
        with pytest.raises(SampleError, match=rf'a\{suffix}: (is truncated: its video|.*damaged)'):
            read_video_frames(path, 10)


@pytest.mark.parametrize('suffix', ['.mkv', '.webm', '.avi'])
def test_not_even_the_last_image_may_be_missing(tmp_path, suffix):
    path, errors = tmp_path / f'a{suffix}', 0
    write_streams(path, CODECS[suffix], seconds=0.8)
    whole, content = read_video_frames(path, 10), path.read_bytes()
    for length in range(len(content) * 3 // 4, len(content), len(content) // 200 + 1):
        path.write_bytes(content[:length])
        try:
            assert len(read_video_frames(path, 10)) == len(whole), f'{length} of {len(content)} bytes'
        except SampleError:
            errors += 1
    assert errors > 5


@pytest.mark.parametrize(('suffix', 'codec'), [('.mp4', 'aac'), ('.mkv', 'aac'), ('.mkv', 'pcm_s16le')])
def test_a_gap_in_the_sound_is_silence(tmp_path, suffix, codec):
    path = tmp_path / f'a{suffix}'
    write_streams(path, ('libx264', codec), 5.0, hole=(0.9, 2.9))
    wave = read_video_audio(path, RATE)
    assert abs(len(wave) - 5 * RATE) < 0.04 * RATE
    clicks = (np.arange(0.5, 5, 0.5) * RATE).astype(int)
    heard = [np.abs(wave[click : click + RATE // 100]).max() > 0.2 for click in clicks]
    assert heard == [True, False, False, False, False, True, True, True, True]
    assert np.abs(wave[round(1.1 * RATE) : round(2.8 * RATE)]).max() == 0


def test_a_video_is_written_whole_or_not_at_all(tmp_path):
    path = tmp_path / 'new' / 'v.mp4'
    with pytest.raises(ValueError, match='one size'):
        write_video(path, [gray(0), gray(0, 20)], 5)
    with pytest.raises(ValueError, match='no image'):
        write_video(path, [], 5)
    with pytest.raises(ValueError, match='sample rate'):
        write_video(path, [gray(0)], 5, tone(1))
    assert not list((tmp_path / 'new').iterdir())
