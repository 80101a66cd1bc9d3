# AVC trained on 144,000 pairs of VGG-Sound, tested on VGG-SS (Tables 1 and 5: cIoU/AUC 37.9/38.5).
_base_ = './avc_r18_vggsound10k.py'

train_dataloader = dict(dataset=dict(split_file='vggss_144k.txt'))
