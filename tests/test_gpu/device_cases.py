"""A call of every layer and loss of mmav.models at a small size, for any device.

Shapes: B videos or clips, T segments, C classes, D channels, M microphones.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from rigs import make_rig
from torch import Tensor, nn

from mmav.models import backbones, layers, losses, necks, roi_heads

B, T, C, D, M = 3, 6, 5, 16, 8


@dataclass(frozen=True)
class Case:
    """A function or module and its inputs.

    Attributes:
        make: Gives the function or module; it is called after ``torch.manual_seed``.
        inputs: Gives the inputs, made by the generator: tensors, and lists and dicts of them.
        signal: Whether the inputs are sound, which stays in single precision under AMP.
        doubles: Whether it can compute in double precision.
        training: Whether modules are in training mode.
        reads_values: Why the shapes alone do not say what is computed; '' where they do.
    """

    make: Callable[[], Callable]
    inputs: Callable[[torch.Generator], tuple]
    signal: bool = False
    doubles: bool = True
    training: bool = True
    reads_values: str = ''


CASES: dict[str, Case] = {}


def add(name: str, make: Callable[[], Callable], inputs: Callable[[torch.Generator], tuple], **options: Any):
    """Add a case; what follows a comma in its name tells cases of one layer apart."""
    assert name not in CASES, name
    CASES[name] = Case(make, inputs, **options)


def normal(*shape: int) -> Callable[[torch.Generator], Tensor]:
    """As features: with a gradient."""
    return lambda generator: torch.randn(shape, generator=generator).requires_grad_()


def uniform(*shape: int) -> Callable[[torch.Generator], Tensor]:
    """In 0.05..0.95, as probabilities; with a gradient."""
    return lambda generator: (torch.rand(shape, generator=generator) * 0.9 + 0.05).requires_grad_()


def bits(*shape: int) -> Callable[[torch.Generator], Tensor]:
    """As labels: 0 or 1, floats without a gradient."""
    return lambda generator: (torch.rand(shape, generator=generator) > 0.5).float()


def fixed(value: Any) -> Callable[[torch.Generator], Any]:
    return lambda generator: value


def each(*makers: Callable[[torch.Generator], Any]) -> Callable[[torch.Generator], tuple]:
    """The arguments that the makers give one after the other; one may give several, as a tuple."""

    def make(generator: torch.Generator) -> tuple:
        values = []
        for maker in makers:
            value = maker(generator)
            values.extend(value if isinstance(value, tuple) else (value,))
        return tuple(values)

    return make


def maps(*channels: int, side: int = 8) -> Callable[[torch.Generator], list[Tensor]]:
    """Levels of a pyramid, each half as large as the one before."""
    return lambda generator: [
        torch.randn(2, count, side >> level, side >> level, generator=generator).requires_grad_()
        for level, count in enumerate(channels)
    ]


def teachers(*channels: int) -> Callable[[torch.Generator], list[list[Tensor]]]:
    return lambda generator: [maps(*channels)(generator) for _ in range(2)]


VIDEO = each(normal(B, T, D), normal(B, T, D))  # of sound and of the image
SOUND = each(lambda generator: torch.randn(2, M, 11025, generator=generator) * 0.1)
ONE_SOUND = each(lambda generator: torch.randn(2, 16000, generator=generator) * 0.1)
LENGTHS = fixed(torch.tensor([2, 3, 4]))
QUERY = torch.arange(T) < torch.tensor([[2], [3], [4]])

# layers: sound
RIG = make_rig()
GRID = dict(rig=RIG, grid=(4, 6), windows=((0.12, 0.12), None))
READS = 'asks whether every microphone is live'
for _name, _options in {
    'AcousticImage': {},
    'AcousticImage, adaptive': dict(beamformer='mvdr'),
    'AcousticImage, learnable': dict(learnable=True),
    'AcousticImage, all channels': dict(
        channels=('contrast', 'level', 'broadband', 'spectrum', 'modulation'), weighting='phat'
    ),
}.items():
    add(
        _name,
        lambda options=_options: layers.AcousticImage(**GRID, **options),
        SOUND,
        signal=True,
        reads_values=READS,
    )
add('LogMelSpectrogram', lambda: layers.LogMelSpectrogram(), SOUND, signal=True, doubles=False)
add(
    'LogMelSpectrogram, single precision and phases',
    lambda: layers.LogMelSpectrogram(reference='clip', double_precision=False, phase_channels=True),
    SOUND,
    signal=True,
    doubles=False,
)
add('LogSpectrogram', lambda: layers.LogSpectrogram(), ONE_SOUND, signal=True)
add('VGGishLogMel', lambda: layers.VGGishLogMel(), ONE_SOUND, signal=True)


def _steering(points: Tensor, positions: Tensor, frequencies: Tensor) -> Tensor:
    return torch.view_as_real(layers.steering_vectors(points, positions, frequencies, ground_reflection=0.7))


def _covariance(spectrum: Tensor, weights: Tensor) -> Tensor:
    return torch.view_as_real(layers.spatial_covariance(torch.view_as_complex(spectrum), weights))


def _power(spectrum: Tensor, steering: Tensor, weights: Tensor) -> Tensor:
    covariance = layers.spatial_covariance(torch.view_as_complex(spectrum), weights)
    return layers.steered_power(covariance, torch.view_as_complex(steering))


POSITIONS = fixed(torch.from_numpy(RIG.microphone_positions.copy()).float())
add(
    'steering_vectors',
    lambda: _steering,
    each(
        lambda generator: torch.rand(7, 3, generator=generator) + torch.tensor([0.0, 9.0, 0.1]),
        POSITIONS,
        fixed(torch.tensor([300.0, 700.0, 1500.0])),
    ),
    signal=True,
)
add('spatial_covariance', lambda: _covariance, each(normal(2, M, 3, 9, 2), uniform(2, 9)), signal=True)
add(
    'steered_power',
    lambda: _power,
    each(normal(2, M, 3, 9, 2), normal(7, 3, M, 2), uniform(2, 9)),
    signal=True,
)

# layers: attention over segments
add('AttentiveMMILPooling', lambda: layers.AttentiveMMILPooling(D, C), VIDEO)
add(
    'attentive_mmil_pooling',
    lambda: layers.attentive_mmil_pooling,
    each(uniform(B, T, 2, C), normal(B, T, 2, C), normal(B, T, 2, C)),
)
AGTA_INPUTS = each(normal(2, T, 3, 3, D), normal(2, T, D))
for _protocol in ('paper', 'official'):
    add(
        f'AudioGuidedTripletAttention, {_protocol}',
        lambda protocol=_protocol: layers.AudioGuidedTripletAttention(
            D, D, squeeze_channels=8, embed_dims=8, dropout=0.0, protocol=protocol
        ),
        AGTA_INPUTS,
        reads_values="torch's LSTM asks the driver",
    )
add('AudioVisualFusion', lambda: layers.AudioVisualFusion(D, 2, dropout=0.0), VIDEO)
add(
    'dense_fusion_attention',
    lambda: layers.dense_fusion_attention,
    each(normal(B, T, D), normal(B, T + 1, D)),
)
ATTENTION_INPUTS = each(
    normal(B, T, D), normal(B, T, D), normal(B, T, D), fixed(QUERY), fixed(~QUERY.roll(1, 1))
)
add('DenseInterModalityAttention', lambda: layers.DenseInterModalityAttention(D, 2), ATTENTION_INPUTS)
add('DIMALayer', lambda: layers.DIMALayer(D, 2, 2 * D), VIDEO)
add(
    'DenseModalityInteraction',
    lambda: layers.DenseModalityInteraction(D, D, D, 2, 1, 2 * D, dropout=0.0),
    VIDEO,
)
add(
    'factorized_bilinear_pooling',
    lambda: layers.factorized_bilinear_pooling,
    each(uniform(B, T, 4 * D), uniform(B, T, 4 * D), fixed(4)),
)
add('SegmentAttention', lambda: layers.SegmentAttention(D, 2), VIDEO)
add('GlobalContextAttention', lambda: layers.GlobalContextAttention(D, 2), VIDEO)
add('HybridAttentionLayer', lambda: layers.HybridAttentionLayer(D, 2, D, dropout=0.0), VIDEO)
add(
    'HybridAttentionLayer, base',
    lambda: layers.HybridAttentionLayer(D, 2, D, dropout=0.0, base=True, skip=True, gcaa=True),
    VIDEO,
)
add('GradientReversal', lambda: layers.GradientReversal(0.5), each(normal(B, D)))
add('reverse_gradient', lambda: layers.reverse_gradient, each(normal(B, D)))
add('ModalityDiscriminator', lambda: layers.ModalityDiscriminator(D, D), VIDEO)
add('gather_query', lambda: layers.gather_query, each(normal(B, T), fixed(QUERY)))
WINDOWS = each(normal(B, T), normal(B, T), normal(1), LENGTHS)
add('match_windows', lambda: layers.match_windows, WINDOWS)
add('match_cumulatively', lambda: layers.match_cumulatively, WINDOWS)
add('sum_windows', lambda: layers.sum_windows, each(normal(B, T, T), LENGTHS))

# layers and modules: maps
add('SameMaxPool2d', lambda: layers.SameMaxPool2d(), each(normal(2, D, 7, 8)))
add('SeparableConv', lambda: layers.SeparableConv(D, 8, dict(type='BN')), each(normal(2, D, 8, 8)))
add('BiFPN', lambda: necks.BiFPN([8, D, 12], D, num_cells=2), each(maps(8, D, 12, side=16)))
add(
    'ContextFPN',
    lambda: necks.ContextFPN([8, D], D, 3, context_channels=8, place_size=(4, 4)),
    each(maps(8, D, side=12)),
)
add(
    'ScoreWeightedFusion',
    lambda: roi_heads.ScoreWeightedFusion(D),
    each(normal(9, D, 5, 5), normal(9, D, 5, 5), uniform(9), uniform(9)),
)
add('score_weights', lambda: roi_heads.score_weights, each(uniform(9), uniform(9)))
add(
    'AudioResNet',
    lambda: backbones.AudioResNet(depth=18, base_channels=8, stem_channels=8),
    each(normal(2, M, 64, 64)),
)
add(
    'AudioEfficientNet',
    lambda: backbones.AudioEfficientNet('b0'),
    each(normal(2, M, 32, 32)),
    training=False,
)
add(
    'CNN14',
    lambda: backbones.CNN14(sample_rate=16000, f_max=7000.0, n_fft=512, hop_length=160, base_channels=2),
    ONE_SOUND,
    signal=True,
    doubles=False,
    training=False,
)


def _small_vggish() -> nn.Module:
    """With an eighth of the channels, and without the two layers of 4096 units."""
    with torch.device('meta'):
        model = backbones.VGGish()
    model.log_mel = layers.VGGishLogMel()
    for index, layer in enumerate(model.features):
        if isinstance(layer, nn.Conv2d):
            channels = max(layer.in_channels // 8, 1), layer.out_channels // 8
            model.features[index] = nn.Conv2d(*channels, 3, padding=1)
    model.embeddings = nn.Sequential(nn.Linear(12288 // 8, 128), nn.ReLU())
    return model


add('VGGish', _small_vggish, ONE_SOUND, signal=True, doubles=False)


# losses: distillation and localization
EMBEDS = each(normal(12, D), normal(12, D), fixed(torch.arange(12) < 7))
FEATURES = each(maps(8, 8), teachers(8, 8))
add('AVDLoss', lambda: losses.AVDLoss(), EMBEDS, reads_values='selects the positives')
add(
    'AVDLoss, classes',
    lambda: losses.AVDLoss(include_self=False),
    each(EMBEDS, fixed(torch.arange(12) % 3)),
    reads_values='selects the positives',
)


def _log_odds_loss(audio: Tensor, audiovisual: Tensor, is_positive: Tensor, name: str) -> Tensor:
    odds = [losses.group_contrastive_log_odds(embeds, is_positive) for embeds in (audio, audiovisual)]
    return losses.gcl_loss(odds[0]) if name == 'gcl' else losses.avkd_loss(*odds)


def _group_contrastive_log_odds(audio: Tensor, audiovisual: Tensor, is_positive: Tensor) -> Tensor:
    return losses.group_contrastive_log_odds(audio + audiovisual, is_positive)


add(
    'group_contrastive_log_odds',
    lambda: _group_contrastive_log_odds,
    EMBEDS,
    reads_values='selects the positives',
)
for _name in ('gcl', 'avkd'):
    add(
        f'{_name}_loss',
        lambda: _log_odds_loss,
        each(EMBEDS, fixed(_name)),
        reads_values='selects the positives',
    )
for _kind in ('MTALoss', 'PairwiseSimilarityLoss', 'RankingLoss'):
    _why = 'selects the pairs of samples' if _kind == 'RankingLoss' else ''
    add(_kind, lambda kind=_kind: getattr(losses, kind)(), FEATURES, reads_values=_why)
add('MTALoss, official', lambda: losses.MTALoss(protocol='official'), FEATURES)
add('AFDLoss', lambda: losses.AFDLoss([8, 6], [8, 8], num_teachers=2), each(maps(8, 6), teachers(8, 8)))
PAIR = each(normal(4, 8, 6, 6), normal(4, 8, 6, 6))
add('afd_loss', lambda: losses.afd_loss, each(PAIR, uniform(4, 8)))
add(
    'mta_loss',
    lambda: losses.mta_loss,
    each(normal(2, 8, 6, 6), lambda generator: [torch.randn(2, 4, 6, 6, generator=generator)] * 2),
)
add('pairwise_similarity_loss', lambda: losses.pairwise_similarity_loss, PAIR)
add('ranking_loss', lambda: losses.ranking_loss, PAIR, reads_values='selects the pairs of samples')
add('feature_hint_loss', lambda: losses.feature_hint_loss, PAIR)
add(
    'FeatureHintLoss',
    lambda: losses.FeatureHintLoss(10.0, 'map', student_channels=8, teacher_channels=D),
    each(normal(4, 8, 6, 6), normal(4, D, 6, 6)),
)
add(
    'MaxSimilarityContrastiveLoss',
    lambda: losses.MaxSimilarityContrastiveLoss(temperature=0.3),
    each(normal(4, D), normal(4, D, 3, 3)),
)
add('max_similarity_contrastive_loss', lambda: losses.max_similarity_contrastive_loss, each(uniform(4, 4)))

# losses: events
SEGMENTS = fixed(torch.eye(C + 1)[torch.tensor([[0, 0, 1, 5, 5, 5], [5, 5, 2, 2, 2, 5], [5] * 6])])
VIDEO_PROBABILITIES = each(uniform(B, C), uniform(B, C), uniform(B, C), bits(B, C))
SCORES = each(uniform(B, C + 1), uniform(B, C + 1), bits(B, C + 1))
add('event_relevance_loss', lambda: losses.event_relevance_loss, each(normal(B, T), SEGMENTS))
add(
    'event_category_loss',
    lambda: losses.event_category_loss,
    each(normal(B, C), SEGMENTS),
    reads_values='selects the videos with events',
)
add('multiple_instance_loss', lambda: losses.multiple_instance_loss, each(uniform(B, C + 1), bits(B, C + 1)))
add(
    'SupervisedEventLoss',
    lambda: losses.SupervisedEventLoss(),
    each(normal(B, T), normal(B, C), normal(B, C), SEGMENTS),
    reads_values='selects the videos with events',
)
add('WeaklySupervisedEventLoss', lambda: losses.WeaklySupervisedEventLoss(), SCORES)
add('window_relevance_loss', lambda: losses.window_relevance_loss, each(normal(B, T, T), bits(B, T), LENGTHS))
POSITIVE_PAIRS = fixed(torch.eye(6, dtype=torch.bool) | (torch.arange(36).view(6, 6) % 5 == 0))
AVG_INPUTS = each(normal(6, D), normal(6, D), POSITIVE_PAIRS)
for _name in ('pair_hinge_loss', 'unimodal_avg_loss', 'cross_modal_avg_loss'):
    add(_name, lambda name=_name: getattr(losses, name), AVG_INPUTS)
add('AVGLoss', lambda: losses.AVGLoss(reduction='mean'), AVG_INPUTS)
add('clamped_bce', lambda: losses.clamped_bce, each(uniform(B, C), bits(B, C)))
add('smooth_labels', lambda: losses.smooth_labels, each(uniform(B, C), fixed(0.9)))
add('modality_adversarial_loss', lambda: losses.modality_adversarial_loss, each(normal(B, T), normal(B, T)))
add('VideoParsingLoss', lambda: losses.VideoParsingLoss(0.6), VIDEO_PROBABILITIES)
add(
    'SegmentPseudoLabelLoss',
    lambda: losses.SegmentPseudoLabelLoss(),
    each(uniform(B, T, 2, C), bits(B, T, C), bits(B, T, C)),
)
