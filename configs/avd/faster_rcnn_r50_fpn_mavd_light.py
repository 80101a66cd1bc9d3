# AVD with the light preset: both terms of eq. (7) at 0.1 instead of the published 1.
_base_ = './faster_rcnn_r50_fpn_mavd.py'

model = dict(roi_head=dict(loss_avd=dict(gcl_weight=0.1, avkd_weight=0.1)))
