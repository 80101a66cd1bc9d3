# OG-AVC trained on 144,000 pairs of Flickr-SoundNet, tested there (Tables 3 and 7: cIoU/AUC 83.7/63.4).
_base_ = './og_avc_r18_flickr10k.py'

train_dataloader = dict(dataset=dict(split_file='flickr_144k.txt'))
