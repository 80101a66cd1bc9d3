# Pretraining by audio-visual grounding, multimodal, eq. (5); model.loss.objective='uni': unimodal, eq. (3);
# 'cross': cross-modal, eq. (4).
_base_ = [
    '../_base_/models/avg.py',
    '../_base_/datasets/audioset_features.py',
    '../_base_/schedules/avg_20e.py',
    '../_base_/default_runtime.py',
]
