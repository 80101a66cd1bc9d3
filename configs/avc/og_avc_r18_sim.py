# The small AVC localizer, guided by the features of the network that is its visual teacher. Its weights:
# --cfg-options model.object_model.checkpoint=FILE
_base_ = './avc_r18_sim.py'

model = dict(
    _delete_=True,
    type='ObjectGuidedLocalizer',
    data_preprocessor=_base_.model.data_preprocessor,
    localizer=dict(_base_.model, data_preprocessor=None),
    object_model=dict(
        type='FeatureObjectMap',
        model=dict(_base_.teachers.visual, init_cfg=None),
        checkpoint=None,
        prefix='backbone',
    ),
    weights=(0.6, 0.4),
)
