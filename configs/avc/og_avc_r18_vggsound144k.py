# OG-AVC trained on 144,000 pairs of VGG-Sound, tested on VGG-SS (Tables 3 and 7: cIoU/AUC 39.2/39.2).
_base_ = './og_avc_r18_vggsound10k.py'

train_dataloader = dict(dataset=dict(split_file='vggss_144k.txt'))
