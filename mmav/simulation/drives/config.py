"""Parameters of a simulated data set and the presets."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ..presets import SimulatorConfig, config_of
from .scene import CONDITIONS, KINDS

MODALITIES = ('rgb', 'thermal', 'depth')
SPLITS = ('train', 'val', 'test')


@dataclass(frozen=True)
class SimulationConfig(SimulatorConfig):
    """Everything that, with the seed, determines a data set's bytes.

    Args:
        preset: Name of the preset it came from.
        seed: Seed of the whole set; each drive draws from its own stream.
        drives: Number of drives of train, val and test.
        frames_per_drive: Images a drive.
        frame_interval: Range in seconds, drawn per drive.
        margin: Sound before the first and after the last image in seconds (>= 0.5).
        vehicles: Fewest and most sounding vehicles of a drive.
        distance: Nearest and farthest labeled distance in metres.
        speed: Range of vehicle speeds in m/s.
        min_box_height: Smaller boxes (pixels) are not labeled.
        min_visibility: Vehicles that show a smaller share of themselves are not labeled.
        keep_in_view: Redraw a drive until each of its sounding vehicles is labeled in every image.
        condition_weights: Relative frequency of each condition.
        kind_weights: Relative frequency of each kind of vehicle.
        static_share: Share of drives whose ego stands.
        lane_change_share: Share of vehicles that change lanes.
        parked: Most parked, silent vehicles of a drive.
        unseen_share: Share of drives with a vehicle that is heard but not seen (behind the ego).
        occluder_share: Share of drives with a wall that hides part of the road.
        snr: Range of the signal-to-noise ratio in dB, drawn per drive.
        snr_reference: Whose mean power the ratio refers to: the 'loudest' or the 'quietest' vehicle in view.
        wind: Greatest power share of wind in the noise.
        ego_engine: Greatest power share of the ego's engine in the noise.
        microphones: 'cardioid', 'shadow' or 'omni'.
        array_radius: Metres.
        array_height: Metres.
        ground_reflection: Coefficient of the ground's image source; 0 = off.
        facade_reflection: Coefficient of a facade beside the road; 0 = off.
        gain_mismatch: Standard deviation of the microphones' gains in dB.
        delay_mismatch: Standard deviation of the microphones' delays in microseconds.
        full_scale: Sound pressure in pascal that digital full scale stands for, one value for the whole set.
        audio_layout: 'frame' (8 one-second files an image) or 'drive' (one recording a drive).
        modalities: Which of rgb, thermal and depth are written.
        jpeg_quality: 1..100.
    """

    preset: str = 'default'
    seed: int = 0
    drives: tuple[int, int, int] = (60, 20, 20)
    frames_per_drive: int = 30
    frame_interval: tuple[float, float] = (0.5, 0.5)
    margin: float = 0.55
    vehicles: tuple[int, int] = (1, 4)
    distance: tuple[float, float] = (3.0, 50.0)
    speed: tuple[float, float] = (4.0, 18.0)
    min_box_height: float = 20.0
    min_visibility: float = 0.25
    keep_in_view: bool = False
    condition_weights: dict[str, float] = field(
        default_factory=lambda: dict(day=0.4, dusk=0.12, night=0.28, fog=0.12, tunnel=0.08)
    )
    kind_weights: dict[str, float] = field(default_factory=lambda: dict(car=0.7, truck=0.18, motorcycle=0.12))
    static_share: float = 0.5
    lane_change_share: float = 0.15
    parked: int = 1
    unseen_share: float = 0.15
    occluder_share: float = 0.1
    snr: tuple[float, float] = (5.0, 25.0)
    snr_reference: str = 'loudest'
    wind: float = 0.4
    ego_engine: float = 0.3
    microphones: str = 'cardioid'
    array_radius: float = 0.3
    array_height: float = 1.75
    ground_reflection: float = 0.7
    facade_reflection: float = 0.0
    gain_mismatch: float = 0.0
    delay_mismatch: float = 0.0
    full_scale: float = 20.0
    audio_layout: str = 'frame'
    modalities: tuple[str, ...] = MODALITIES
    jpeg_quality: int = 88

    def __post_init__(self) -> None:
        checks = {
            'drives': len(self.drives) == 3 and min(self.drives) >= 0 and sum(self.drives) > 0,
            'frames_per_drive': self.frames_per_drive >= 1,
            'frame_interval': 0 < self.frame_interval[0] <= self.frame_interval[1],
            'margin': self.margin >= 0.5,
            'vehicles': 1 <= self.vehicles[0] <= self.vehicles[1] <= 6,
            'distance': 2 <= self.distance[0] < self.distance[1],
            'speed': 0 < self.speed[0] <= self.speed[1],
            'condition_weights': set(self.condition_weights) <= set(CONDITIONS),
            'kind_weights': set(self.kind_weights) <= set(KINDS),
            'snr': self.snr[0] <= self.snr[1],
            'snr_reference': self.snr_reference in ('loudest', 'quietest'),
            'microphones': self.microphones in ('cardioid', 'shadow', 'omni'),
            'full_scale': self.full_scale > 0,
            'audio_layout': self.audio_layout in ('frame', 'drive'),
            'modalities': len(self.modalities) > 0 and set(self.modalities) <= set(MODALITIES),
            'array_radius': 0 < self.array_radius < self.array_height,
            'jpeg_quality': 1 <= self.jpeg_quality <= 100,
        }
        self.check(**checks)
        self.check_shares('static_share', 'lane_change_share', 'unseen_share', 'occluder_share')
        self.check_shares('wind', 'ego_engine', 'ground_reflection', 'facade_reflection')


PRESETS: dict[str, SimulationConfig] = {
    'default': SimulationConfig(),
    # Short drives of few images: neighboring images of one drive add little information.
    'demo': SimulationConfig(
        preset='demo',
        drives=(300, 20, 75),
        frames_per_drive=4,
        frame_interval=(0.5, 1.0),
        vehicles=(1, 2),
        distance=(5.0, 20.0),
        speed=(3.0, 10.0),
        min_box_height=60.0,
        min_visibility=0.5,
        keep_in_view=True,
        condition_weights=dict(day=0.45, dusk=0.1, night=0.3, fog=0.1, tunnel=0.05),
        kind_weights=dict(car=0.75, truck=0.15, motorcycle=0.1),
        static_share=0.7,
        lane_change_share=0.1,
        parked=0,
        unseen_share=0.0,
        occluder_share=0.0,
        snr_reference='quietest',
        wind=0.3,
        ego_engine=0.2,
    ),
    'hard': SimulationConfig(
        preset='hard',
        vehicles=(2, 6),
        distance=(3.0, 70.0),
        speed=(4.0, 25.0),
        min_box_height=16.0,
        min_visibility=0.15,
        condition_weights=dict(day=0.25, dusk=0.15, night=0.3, fog=0.18, tunnel=0.12),
        kind_weights=dict(car=0.6, truck=0.22, motorcycle=0.18),
        parked=2,
        unseen_share=0.4,
        occluder_share=0.3,
        snr=(-5.0, 15.0),
        wind=0.6,
        ego_engine=0.5,
        facade_reflection=0.5,
        gain_mismatch=1.0,
        delay_mismatch=15.0,
    ),
}


def make_config(preset: str = 'default', **overrides: Any) -> SimulationConfig:
    """A preset with some of its values replaced.

    Args:
        preset: 'demo', 'default' or 'hard'.
        **overrides: Fields of :class:`SimulationConfig`.

    Returns:
        The parameters.

    Raises:
        ValueError: Unknown preset or field, or a value is out of its range.
    """
    return config_of(PRESETS, preset, overrides)
