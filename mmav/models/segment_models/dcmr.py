"""DCMR: section V of Liu, Quan, Wang, Liu, Liu and Yan, "Dense modality interaction network for audio-visual
event localization".

Shapes: B videos, T segments, D channels of the embeddings, K segments of a video's query,
W = T - K + 1 windows.
"""

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from mmdet.registry import MODELS
from mmdet.utils import OptConfigType
from torch import Tensor, nn

from mmav.structures import SegmentDataSample
from mmav.utils.checks import PROTOCOLS, check_choice

from ..layers.dense_modality_interaction import DenseModalityInteraction
from ..layers.query_matching import gather_query, match_cumulatively, match_windows, sum_windows
from ..losses.query_matching_loss import window_relevance_loss
from .segment_model import (
    Inputs,
    Samples,
    SegmentModel,
    check_same_segments,
    ensure_data_samples,
    select_inputs,
    stack_labels,
)

# Queried modality and the one that is searched, as the outputs begin.
DIRECTIONS = dict(a2v=('a', 'v'), v2a=('v', 'a'))


@MODELS.register_module()
class DCMR(SegmentModel):
    """Finds the segments of one modality that belong to a few segments of the other.

    Inputs are ``visual`` (B, T, ``visual_channels``), ``audio`` (B, T, ``audio_channels``) and ``query_mask``
    (B, T), 1 on the query's segments of the querying modality. The mask picks the query out; where it lay has
    no part in the result: the network knows no positions, and behind it only the query's K numbers are kept.

    Mode 'tensor' gives the tensors of :class:`DenseModalityInteraction`, ``window_scores`` (B, T), minus
    infinity behind the last window, and

    - protocol 'paper': ``window_logits`` (B, T, T) of window w and place j, 0 where there is none;
    - protocol 'official': ``official_is_event_logits`` (B, T, 1), see :func:`match_cumulatively`.

    Mode 'predict' sets ``pred_start`` (), the first segment of the window with the greatest sum of scores
    (relevance in 'paper', logits in 'official'), ``pred_length`` (), K, and ``pred_window_scores`` (W,).

    Args:
        direction: 'a2v': sound is queried with and images are searched; 'v2a': the other way round.
            Defaults to 'a2v'.
        protocol: 'paper': windows are kept apart; 'official': as the released program, see above and
            :func:`dense_fusion_attention`. Defaults to 'paper'.
        visual_channels: Defaults to 512.
        audio_channels: Defaults to 128.
        embed_dims: D. Defaults to 256.
        query_context: Whether the querying modality is seen outside the query too, as in the paper. If not,
            the network knows nothing of it but the query. Defaults to True.
        use_dima: Whether there is DIMA. Defaults to True.
        dima: Others of :class:`DIMALayer`; ``dropout`` defaults to 0.02.
        encoder: Others of :class:`DenseModalityInteraction`.
        **kwargs: Of :class:`SegmentModel`.

    Raises:
        ValueError: In use, if a video has no query, or inputs or labels do not fit.
    """

    def __init__(
        self,
        direction: str = 'a2v',
        protocol: str = 'paper',
        visual_channels: int = 512,
        audio_channels: int = 128,
        embed_dims: int = 256,
        query_context: bool = True,
        use_dima: bool = True,
        dima: OptConfigType = None,
        encoder: OptConfigType = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        check_choice('DCMR', 'protocol', protocol, PROTOCOLS)
        check_choice('DCMR', 'direction', direction, DIRECTIONS)
        self.querying, self.searched = DIRECTIONS[direction]
        self.protocol = protocol
        self.query_context = query_context
        self.interaction = DenseModalityInteraction(
            visual_channels,
            audio_channels,
            embed_dims,
            use_dima=use_dima,
            dima=dict(dict(dropout=0.02), **(dima or {})),
            protocol=protocol,
            **(encoder or {}),
        )
        self.relevance_head = nn.Linear(embed_dims, 1)
        self.channels = dict(visual=visual_channels, audio=audio_channels)
        self.match_precision()

    def outputs(self, inputs: Inputs) -> dict[str, Tensor]:
        """All named tensors, see the class."""
        visual, audio = select_inputs(inputs, self.channels)
        check_same_segments(visual, audio)
        mask = query_segments(inputs, audio.shape[:2])
        valid = None if self.query_context else mask
        outputs = self.interaction(
            visual,
            audio,
            visual_valid=valid if self.querying == 'v' else None,
            audio_valid=valid if self.querying == 'a' else None,
        )
        query, lengths = gather_query(outputs[f'{self.querying}_cross'].mean(-1), mask)
        head = self.relevance_head
        projected = F.linear(outputs[f'{self.searched}_cross'], head.weight).squeeze(-1)
        if self.protocol == 'official':
            logits = match_cumulatively(query, projected, head.bias, lengths)
            outputs['official_is_event_logits'] = logits[..., None]
            outputs['window_scores'] = sum_windows(logits, lengths)
        else:
            logits, _ = match_windows(query, projected, head.bias, lengths)
            outputs['window_logits'] = logits
            outputs['window_scores'] = sum_windows(logits.sigmoid(), lengths)
        return outputs

    def loss(self, inputs: Inputs, data_samples: Samples | None) -> dict[str, Tensor]:
        """``loss_relevance``, :func:`window_relevance_loss`, by ``gt_segments`` (T, 1), 1 in the event."""
        audio = inputs['audio']
        relevant = stack_labels(data_samples, 'gt_segments', audio, (audio.shape[1], 1)).squeeze(-1)
        outputs = self.outputs(inputs)
        if self.protocol == 'official':
            logits = outputs['official_is_event_logits'].squeeze(-1)
            return dict(loss_relevance=F.binary_cross_entropy_with_logits(logits, relevant.to(logits)))
        lengths = (inputs['query_mask'] > 0.5).sum(1)
        return dict(loss_relevance=window_relevance_loss(outputs['window_logits'], relevant, lengths))

    def predict(self, inputs: Inputs, data_samples: Samples | None = None) -> list[SegmentDataSample]:
        """Where the query belongs, see the class; labels of the data set are not read."""
        scores = self.outputs(inputs)['window_scores']
        lengths = (inputs['query_mask'] > 0.5).sum(1)
        data_samples = ensure_data_samples(data_samples, *inputs['audio'].shape[:2])
        for index, sample in enumerate(data_samples):
            windows = scores[index][torch.isfinite(scores[index])]
            sample.pred_start = windows.argmax()
            sample.pred_length = lengths[index]
            sample.pred_window_scores = windows
        return data_samples


def query_segments(inputs: Inputs, shape: Sequence[int]) -> Tensor:
    """Which segments are the query's, (B, T) bool, by ``query_mask``.

    Raises:
        KeyError: If there is no mask.
        ValueError: If it is of another shape or marks no segment of a video.
    """
    if 'query_mask' not in inputs:
        raise KeyError('the inputs lack query_mask: add it to the keys of PackSegmentInputs')
    mask = inputs['query_mask'] > 0.5
    if mask.shape != shape:
        raise ValueError(f'query_mask is {tuple(mask.shape)}, the features have (B, T) {tuple(shape)}')
    empty = (~mask.any(1)).nonzero().flatten().tolist()
    if empty:
        raise ValueError(f'query_mask marks no segment in sample(s) {empty} of the batch')
    return mask
