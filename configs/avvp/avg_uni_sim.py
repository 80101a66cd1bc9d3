# Pretraining by audio-visual grounding, unimodal, eq. (3). Small, on simulated data.
_base_ = './avg_multi_sim.py'

model = dict(loss=dict(objective='uni'))
