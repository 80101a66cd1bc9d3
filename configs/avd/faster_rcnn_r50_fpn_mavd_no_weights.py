# AVD without the importance weights W of eq. (1)-(2) (Table 3, second row).
_base_ = './faster_rcnn_r50_fpn_mavd.py'

model = dict(roi_head=dict(fusion=dict(use_weights=False)))
