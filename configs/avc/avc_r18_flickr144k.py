# AVC trained on 144,000 pairs of Flickr-SoundNet, tested there (Tables 1 and 4: cIoU/AUC 78.5/61.0).
_base_ = './avc_r18_flickr10k.py'

train_dataloader = dict(dataset=dict(split_file='flickr_144k.txt'))
