# AVC trained on 144,000 pairs of VGG-Sound, tested on Flickr-SoundNet (Tables 1 and 6: cIoU/AUC 81.4/63.1).
_base_ = './avc_r18_vggsound10k_flickr.py'

train_dataloader = dict(dataset=dict(split_file='vggss_144k.txt'))
