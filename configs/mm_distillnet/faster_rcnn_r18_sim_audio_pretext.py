# ../avd/faster_rcnn_r18_sim_audio.py, its backbone started by pretext_r18_sim.py, strictly: a missing or
# misshapen parameter is an error. The same, for another checkpoint, in any config:
# --cfg-options model.init_cfg.checkpoint=FILE
_base_ = '../avd/faster_rcnn_r18_sim_audio.py'

model = dict(
    init_cfg=dict(
        type='StrictPretrained',
        checkpoint='work_dirs/pretext_r18_sim/iter_900.pth',
        submodules={'backbone': 'backbone'},
    )
)
