# With an audio backbone that has learned to count vehicles (pretext_r18_sim.py). Another checkpoint of that
# task: --cfg-options model.init_cfg.checkpoint=FILE.
_base_ = './distillnet_r18_sim.py'

model = dict(
    init_cfg=dict(
        type='StrictPretrained',
        checkpoint='work_dirs/pretext_r18_sim/iter_900.pth',
        submodules={'student.backbone': 'backbone'},
    )
)
