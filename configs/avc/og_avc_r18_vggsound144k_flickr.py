# OG-AVC trained on 144,000 pairs of VGG-Sound, tested on Flickr-SoundNet (Table 3: cIoU/AUC 82.8/63.6).
_base_ = './og_avc_r18_vggsound10k_flickr.py'

train_dataloader = dict(dataset=dict(split_file='vggss_144k.txt'))
