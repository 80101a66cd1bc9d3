# AVC trained on 10,000 pairs of VGG-Sound, tested on Flickr-SoundNet (Tables 1 and 6: cIoU/AUC 78.9/61.0).
_base_ = [
    '../_base_/models/avc_r18.py',
    '../_base_/models/avc_teachers.py',
    '../_base_/datasets/vggsound_train.py',
    '../_base_/datasets/flickr_soundnet_test.py',
    '../_base_/schedules/avc_100e.py',
    '../_base_/localization_runtime.py',
]
