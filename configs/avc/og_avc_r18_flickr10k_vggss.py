# OG-AVC trained on 10,000 pairs of Flickr-SoundNet, tested on VGG-SS (Table 3: cIoU/AUC 34.5/37.2).
_base_ = [
    '../_base_/models/og_avc_r18.py',
    '../_base_/models/avc_teachers.py',
    '../_base_/datasets/flickr_soundnet_train.py',
    '../_base_/datasets/vggss_test.py',
    '../_base_/schedules/avc_100e.py',
    '../_base_/localization_runtime.py',
]
