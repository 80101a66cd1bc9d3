from .afd_loss import AFDLoss, afd_loss
from .avd_loss import AVDLoss, avkd_loss, gcl_loss, group_contrastive_log_odds
from .feature_hint_loss import FeatureHintLoss, feature_hint_loss
from .max_similarity_contrastive_loss import MaxSimilarityContrastiveLoss, max_similarity_contrastive_loss
from .mta_loss import MTALoss, mta_loss
from .pairwise_similarity_loss import PairwiseSimilarityLoss, pairwise_similarity_loss
from .ranking_loss import RankingLoss, ranking_loss

__all__ = [
    'AFDLoss',
    'AVDLoss',
    'FeatureHintLoss',
    'MTALoss',
    'MaxSimilarityContrastiveLoss',
    'PairwiseSimilarityLoss',
    'RankingLoss',
    'afd_loss',
    'avkd_loss',
    'feature_hint_loss',
    'gcl_loss',
    'group_contrastive_log_odds',
    'max_similarity_contrastive_loss',
    'mta_loss',
    'pairwise_similarity_loss',
    'ranking_loss',
]
