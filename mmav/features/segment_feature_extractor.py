"""From a video to the features that models of events in time take.

Shapes: T seconds, L samples.
"""

import math
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import numpy as np
import torch

from mmav.media.image_folder import iter_image_files, list_images
from mmav.media.video import iter_video_frames, read_video_audio, read_video_info
from mmav.models.backbones.vggish import VGGISH_URL, VGGish
from mmav.utils.errors import SampleError
from mmav.utils.run_parameters import hash_weights

from .image_networks import IMAGE_FEATURES, ImageFeature, ImageNetwork

AVE_FEATURES = dict(visual='vgg19', audio='vggish')
"""What DMIN takes: visual (T, 7, 7, 512), audio (T, 128)."""

LLP_FEATURES = dict(audio='vggish', visual='resnet152', visual_st='r2plus1d_18')
"""What parsers take: audio (T, 128), visual (8 T, 2048), visual_st (T, 512)."""

SAMPLE_RATE = 16000  # hertz, of VGGish


class SegmentFeatureExtractor:
    """Features of the seconds of a video: sound by VGGish, images by torchvision's networks.

    Example::

        extract = SegmentFeatureExtractor(AVE_FEATURES, num_segments=10, device='cuda')
        features = extract('video.mp4')                       # dict(visual=(10, 7, 7, 512), audio=(10, 128))
        features = extract(frames='frames/video', frames_fps=8, audio='audio/video.wav')

    What lasts less than a second more or less than ``num_segments`` is cut, or goes on with its last image
    and with silence.

    Args:
        features: What to call a feature, and which: 'vggish', 'vgg19', 'resnet152', 'r2plus1d_18', or a
            :class:`ImageFeature` of your own. Defaults to :data:`AVE_FEATURES`.
        weights: File or address of the weights by feature ('vgg19', not 'visual'), or None for random ones.
            Of features that are not named the public weights are downloaded: torchvision's and, of VGGish,
            the PyTorch port's.
        num_segments: T. None: the video's length in seconds, rounded. Defaults to None.
        device: Where the networks compute. Defaults to 'cpu'.
        batch_size: Images that go through a network at a time, rounded down to whole seconds, at least one.
            Defaults to 32.
        allow_untrained: Take random weights where ``weights`` says None. Defaults to False.
        other_length: 'error', or 'fit' to cut and fill clips of any other length. Defaults to 'error'.
        vggish: ``postprocess``, ``pca_params`` and ``final_relu`` of :class:`VGGish`.

    Raises:
        ValueError: For bad arguments, or random weights that are not allowed.
        RuntimeError: If weights cannot be downloaded or do not fit.
    """

    def __init__(
        self,
        features: Mapping[str, str | ImageFeature] = AVE_FEATURES,
        weights: Mapping[str, str | None] | None = None,
        num_segments: int | None = None,
        device: str | torch.device = 'cpu',
        batch_size: int = 32,
        allow_untrained: bool = False,
        other_length: str = 'error',
        vggish: Mapping | None = None,
    ) -> None:
        weights = dict(weights or {})
        if other_length not in ('error', 'fit') or batch_size < 1 or (num_segments or 1) < 1 or not features:
            raise ValueError(
                f'bad features {features}, num_segments {num_segments}, batch_size {batch_size} or '
                f'other_length {other_length!r}'
            )
        self.features = {key: _find_feature(feature) for key, feature in features.items()}
        names = [_name(feature) for feature in self.features.values()]
        if set(weights) - set(names):
            raise ValueError(f'weights for {sorted(set(weights) - set(names))}, but the features are {names}')
        untrained = [name for name in names if weights.get(name, '') is None]
        if untrained and not allow_untrained:
            raise ValueError(
                f'{untrained} would have random weights, whose features mean nothing: give files, or '
                'allow_untrained=True for a trial'
            )
        self.num_segments = num_segments
        self.device = torch.device(device)
        self.batch_size = batch_size
        self.other_length = other_length
        self.networks = {
            key: self._build(feature, weights, dict(vggish or {})) for key, feature in self.features.items()
        }

    def _build(
        self, feature: str | ImageFeature, weights: Mapping[str, str | None], vggish: dict
    ) -> VGGish | ImageNetwork:
        name = _name(feature)
        source = weights.get(name, feature.weights if isinstance(feature, ImageFeature) else VGGISH_URL)
        try:
            if isinstance(feature, ImageFeature):
                return ImageNetwork(feature, source, self.device)
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(0)
                network = VGGish(checkpoint=source, framing='seconds', **vggish)
                network.init_weights()
            return network.eval().requires_grad_(False).to(self.device)
        except OSError as error:
            raise RuntimeError(
                f'the weights of {name} cannot be had from {source} ({error}): '
                f'give a local file as weights[{name!r}]'
            ) from error

    def describe(self) -> dict[str, dict]:
        """What determines the values of each feature, as json can hold it."""
        described = {}
        for key, network in self.networks.items():
            if isinstance(network, ImageNetwork):
                state, more = network.net.state_dict(), dict(normalization=network.normalization)
            else:
                state, more = network.state_dict(), dict(postprocess=network.postprocess)
                more['final_relu'] = isinstance(network.embeddings[-1], torch.nn.ReLU)
                if network.postprocess is not None:
                    state.update(pca=network.pca_eigen_vectors, pca_means=network.pca_means)
            described[key] = dict(
                feature=_name(self.features[key]),
                weights=hash_weights({name: value.cpu() for name, value in state.items()}),
                num_segments=self.num_segments,
                other_length=self.other_length,
                **more,
            )
        return described

    def __call__(
        self,
        video: str | Path | None = None,
        *,
        frames: str | Path | None = None,
        frames_fps: float | None = None,
        audio: str | Path | None = None,
        only: Iterable[str] | None = None,
    ) -> dict[str, np.ndarray]:
        """Extract the features of one video.

        Args:
            video: The file.
            frames: Instead of the video's images: a folder of images, in the order of the numbers in
                their names.
            frames_fps: Images a second in that folder.
            audio: Instead of the video's sound: a sound file, or another video.
            only: Names of the features to extract; None: all.

        Returns:
            Features by their names, float32 arrays whose first axis is time.

        Raises:
            ValueError: If images or sound come from nowhere.
            SampleError: If a file is missing, damaged, lacks sound or images, or is of another length.
        """
        networks = {key: self.networks[key] for key in (self.networks if only is None else only)}
        visual = {key: network for key, network in networks.items() if isinstance(network, ImageNetwork)}
        acoustic = {key: network for key, network in networks.items() if isinstance(network, VGGish)}
        sound = video if audio is None else audio
        files_fps = frames_fps or 0.0
        if frames is not None and not files_fps > 0:
            raise ValueError('a folder of images needs frames_fps, images a second')
        if (visual and frames is None and video is None) or (acoustic and sound is None):
            raise ValueError('give a video, or frames and audio')
        files = None if frames is None or not visual else list_images(frames)
        segments = self._count_segments(video, files, files_fps, sound if acoustic else None)
        features = {}
        if visual:
            fps = math.lcm(*(network.feature.fps for network in visual.values()))
            source = str(video if files is None else frames)
            if files is None:
                images = iter_video_frames(source, fps, end=segments)
            else:
                images = iter_image_files(files, files_fps, fps, segments)
            features = self._extract_images(visual, images, fps, segments, source)
        for key, network in acoustic.items():
            features[key] = self._extract_audio(network, str(sound), segments)
        return {key: features[key] for key in networks}

    def _count_segments(
        self,
        video: str | Path | None,
        files: list[Path] | None,
        files_fps: float,
        sound: str | Path | None,
    ) -> int:
        """T; what is longer by a second or more is refused here, what is shorter where it is read."""
        lengths = {}
        if files is not None:
            lengths[str(files[0].parent)] = len(files) / files_fps
        for path in (None if files is not None else video, sound):
            if path is not None:
                lengths[str(path)] = read_video_info(path).duration
        name, longest = max(lengths.items(), key=lambda item: item[1])
        if self.num_segments is None:
            return max(1, math.floor(longest + 0.5))
        if longest >= self.num_segments + 1 and self.other_length == 'error':
            raise SampleError(
                name,
                f"lasts {longest:.2f} s, expected {self.num_segments} s: cut it, or use other_length='fit'",
            )
        return self.num_segments

    def _extract_images(
        self,
        networks: Mapping[str, ImageNetwork],
        images: Iterator[np.ndarray],
        fps: int,
        segments: int,
        source: str,
    ) -> dict[str, np.ndarray]:
        streams = {key: _Stream(network, self.batch_size) for key, network in networks.items()}
        count = 0
        for count, image in enumerate(images, 1):
            for stream in streams.values():
                if (count - 1) % (fps // stream.fps) == 0:
                    stream.add(image)
        self._check_reach(source, 'images', count / fps, segments)
        return {key: stream.finish(segments) for key, stream in streams.items()}

    def _extract_audio(self, network: VGGish, sound: str, segments: int) -> np.ndarray:
        wave = read_video_audio(sound, SAMPLE_RATE)
        self._check_reach(sound, 'sound', len(wave) / SAMPLE_RATE, segments)
        with torch.inference_mode():
            # some seconds at a time, so that an hour needs no more memory than a minute
            parts = []
            for start in range(0, segments, self.batch_size):
                count = min(self.batch_size, segments - start)
                piece = wave[start * SAMPLE_RATE : (start + count) * SAMPLE_RATE]
                parts.append(network(torch.from_numpy(piece).to(self.device), count))
        return torch.cat(parts).float().cpu().numpy()

    def _check_reach(self, source: str, what: str, seconds: float, segments: int) -> None:
        if seconds <= segments - 1 and self.other_length == 'error':
            raise SampleError(
                source,
                f'its {what} {"end" if what == "images" else "ends"} after {seconds:.2f} of {segments} s: '
                "leave it out, or use other_length='fit' to go on with the last image and silence",
            )


class _Stream:
    """Images on their way through a network, some seconds at a time."""

    def __init__(self, network: ImageNetwork, batch_size: int) -> None:
        self.network = network
        self.fps = network.feature.fps
        self.chunk = self.fps * max(1, batch_size // self.fps)
        self.images: list[np.ndarray] = []
        self.results: list[np.ndarray] = []
        self.count = 0
        self.last: np.ndarray | None = None

    def add(self, image: np.ndarray, prepared: bool = False) -> None:
        self.last = image if prepared else self.network.feature.prepare(image)
        self.images.append(self.last)
        self.count += 1
        if len(self.images) == self.chunk:
            self._flush()

    def finish(self, segments: int) -> np.ndarray:
        assert self.last is not None  # readers give an image at least, or an error
        while self.count < segments * self.fps:
            self.add(self.last, prepared=True)
        if self.images:
            self._flush()
        return np.concatenate(self.results)

    def _flush(self) -> None:
        self.results.append(self.network(np.stack(self.images)))
        self.images = []


def _find_feature(feature: str | ImageFeature) -> str | ImageFeature:
    if isinstance(feature, ImageFeature) or feature == 'vggish':
        return feature
    if feature not in IMAGE_FEATURES:
        raise ValueError(f'unknown feature {feature!r}, there are {["vggish", *IMAGE_FEATURES]}')
    return IMAGE_FEATURES[feature]


def _name(feature: str | ImageFeature) -> str:
    return feature if isinstance(feature, str) else feature.name
