# Pretrain (cross): all of the paper, on representations that avg_multi_audioset.py with
# model.loss.objective=cross has learned and tools/write_avg_representations.py has written to
# feats_avg_cross.
_base_ = './adv_skip_gcaa_llp.py'

model = dict(audio_channels=512, visual_channels=512)

features = dict(audio='feats_avg_cross/audio', visual='feats_avg_cross/visual')
train_dataloader = dict(dataset=dict(data_prefix=features))
val_dataloader = dict(dataset=dict(data_prefix=features))
test_dataloader = dict(dataset=dict(data_prefix=features))
