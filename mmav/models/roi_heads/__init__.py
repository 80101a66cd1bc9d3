from .audio_visual_roi_head import AudioVisualRoIHead
from .score_weighted_fusion import ScoreWeightedFusion, score_weights

__all__ = ['AudioVisualRoIHead', 'ScoreWeightedFusion', 'score_weights']
