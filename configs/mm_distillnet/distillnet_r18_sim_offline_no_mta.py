# Labels from the file that tools/dataset_converters/mavd_pseudo_labels.py has written, and no MTA loss: no
# teacher and no picture is needed in training.
_base_ = '../avd/faster_rcnn_r18_sim_audio.py'

train_dataloader = dict(dataset=dict(ann_file='annotations/pseudo_train.json'))
