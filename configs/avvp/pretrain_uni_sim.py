# Pretrain (uni): all of the paper, on representations that avg_multi_sim.py with
# model.loss.objective=uni has learned and tools/write_avg_representations.py has written to
# feats_avg_uni. Small, on simulated data.
_base_ = './adv_skip_gcaa_sim.py'

model = dict(audio_channels=128, visual_channels=128)

features = dict(audio='feats_avg_uni/audio', visual='feats_avg_uni/visual')
train_dataloader = dict(dataset=dict(data_prefix=features))
val_dataloader = dict(dataset=dict(data_prefix=features))
test_dataloader = dict(dataset=dict(data_prefix=features))
