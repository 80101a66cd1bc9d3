# With an audio backbone that has learned to count cars (Table 1, last row; Table 4, M6). The checkpoint of
# pretext_effdet_d2_mavd.py: --cfg-options model.init_cfg.checkpoint=FILE.
_base_ = './distillnet_effdet_d2_mavd.py'

model = dict(
    init_cfg=dict(
        _delete_=True,
        type='StrictPretrained',
        checkpoint=None,
        submodules={'student.backbone': 'backbone'},
    )
)
