# Pretraining by audio-visual grounding, cross-modal, eq. (4). Small, on simulated data.
_base_ = './avg_multi_sim.py'

model = dict(loss=dict(objective='cross'))
