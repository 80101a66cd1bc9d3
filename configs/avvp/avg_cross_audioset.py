# Pretraining by audio-visual grounding, cross-modal, eq. (4).
_base_ = './avg_multi_audioset.py'

model = dict(loss=dict(objective='cross'))
