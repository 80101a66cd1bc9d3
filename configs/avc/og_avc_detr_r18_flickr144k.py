# OG-AVC-DETR: what a DETR is sure of is a third map, each weighs 1/3 (section 4.5).
# The DETR's weights: --cfg-options model.detector.checkpoint=FILE
_base_ = './og_avc_r18_flickr10k.py'

train_dataloader = dict(dataset=dict(split_file='flickr_144k.txt'))
model = dict(
    detector=dict(type='DETRObjectMap', checkpoint=None, score_thr=0.3), weights=(1 / 3, 1 / 3, 1 / 3)
)
