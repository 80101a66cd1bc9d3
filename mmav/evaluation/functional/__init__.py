from .center_distance import center_distance
from .ciou import ciou, ciou_at_thresholds, region_ciou, summarize_ciou
from .count_scores import count_scores
from .event_accuracy import segment_accuracy, segment_counts, window_accuracy, window_chance
from .hota import hota, hota_counts
from .llp_f1 import llp_counts, llp_f1
from .mean_box import mean_box_predictions
from .negative_audio import negative_audio_rates
from .tracking import tracking_metrics

__all__ = [
    'center_distance',
    'ciou',
    'ciou_at_thresholds',
    'count_scores',
    'hota',
    'hota_counts',
    'llp_counts',
    'llp_f1',
    'mean_box_predictions',
    'negative_audio_rates',
    'region_ciou',
    'segment_accuracy',
    'segment_counts',
    'summarize_ciou',
    'tracking_metrics',
    'window_accuracy',
    'window_chance',
]
