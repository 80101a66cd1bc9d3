# AVC trained on 144,000 pairs of Flickr-SoundNet, tested on VGG-SS (Table 1: cIoU/AUC 31.5/35.8).
_base_ = './avc_r18_flickr10k_vggss.py'

train_dataloader = dict(dataset=dict(split_file='flickr_144k.txt'))
