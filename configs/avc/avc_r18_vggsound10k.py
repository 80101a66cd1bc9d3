# AVC trained on 10,000 pairs of VGG-Sound, tested on VGG-SS (Tables 1 and 5: cIoU/AUC 33.8/36.7).
_base_ = [
    '../_base_/models/avc_r18.py',
    '../_base_/models/avc_teachers.py',
    '../_base_/datasets/vggsound_train.py',
    '../_base_/datasets/vggss_test.py',
    '../_base_/schedules/avc_100e.py',
    '../_base_/localization_runtime.py',
]
