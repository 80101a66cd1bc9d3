from .afd_loss import AFDLoss, afd_loss
from .avd_loss import AVDLoss, avkd_loss, gcl_loss, group_contrastive_log_odds
from .avg_loss import AVGLoss, cross_modal_avg_loss, pair_hinge_loss, unimodal_avg_loss
from .event_localization_loss import (
    SupervisedEventLoss,
    WeaklySupervisedEventLoss,
    event_category_loss,
    event_relevance_loss,
    multiple_instance_loss,
)
from .feature_hint_loss import FeatureHintLoss, feature_hint_loss
from .max_similarity_contrastive_loss import MaxSimilarityContrastiveLoss, max_similarity_contrastive_loss
from .mta_loss import MTALoss, mta_loss
from .pairwise_similarity_loss import PairwiseSimilarityLoss, pairwise_similarity_loss
from .query_matching_loss import window_relevance_loss
from .ranking_loss import RankingLoss, ranking_loss
from .video_parsing_loss import (
    SegmentPseudoLabelLoss,
    VideoParsingLoss,
    clamped_bce,
    modality_adversarial_loss,
    smooth_labels,
)

__all__ = [
    'AFDLoss',
    'AVDLoss',
    'AVGLoss',
    'FeatureHintLoss',
    'MTALoss',
    'MaxSimilarityContrastiveLoss',
    'PairwiseSimilarityLoss',
    'RankingLoss',
    'SegmentPseudoLabelLoss',
    'SupervisedEventLoss',
    'VideoParsingLoss',
    'WeaklySupervisedEventLoss',
    'afd_loss',
    'avkd_loss',
    'clamped_bce',
    'cross_modal_avg_loss',
    'event_category_loss',
    'event_relevance_loss',
    'feature_hint_loss',
    'gcl_loss',
    'group_contrastive_log_odds',
    'max_similarity_contrastive_loss',
    'modality_adversarial_loss',
    'mta_loss',
    'multiple_instance_loss',
    'pair_hinge_loss',
    'pairwise_similarity_loss',
    'ranking_loss',
    'smooth_labels',
    'unimodal_avg_loss',
    'window_relevance_loss',
]
