# Pretraining by audio-visual grounding, unimodal, eq. (3).
_base_ = './avg_multi_audioset.py'

model = dict(loss=dict(objective='uni'))
