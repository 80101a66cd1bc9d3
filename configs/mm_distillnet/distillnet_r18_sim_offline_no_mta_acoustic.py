# distillnet_r18_sim_offline_no_mta.py on acoustic images.
_base_ = '../avd/faster_rcnn_r18_sim_acoustic.py'

train_dataloader = dict(dataset=dict(ann_file='annotations/pseudo_train.json'))
