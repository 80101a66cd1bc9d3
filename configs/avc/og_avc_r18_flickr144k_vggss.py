# OG-AVC trained on 144,000 pairs of Flickr-SoundNet, tested on VGG-SS (Table 3: cIoU/AUC 35.8/37.7).
_base_ = './og_avc_r18_flickr10k_vggss.py'

train_dataloader = dict(dataset=dict(split_file='flickr_144k.txt'))
