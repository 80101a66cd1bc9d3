# OG-AVC: at prediction, the map of an ImageNet ResNet-18 weighs 0.4, that of avc_r18.py 0.6.
# A checkpoint of avc_r18.py serves here, and the other way round.
_base_ = './avc_r18.py'

model = dict(
    _delete_=True,
    type='ObjectGuidedLocalizer',
    data_preprocessor=_base_.model.data_preprocessor,
    localizer=dict(_base_.model, data_preprocessor=None),
    object_model=dict(
        type='FeatureObjectMap',
        model=dict(type='ResNet', depth=18, num_stages=4, out_indices=(3,)),
        checkpoint='torchvision://resnet18',
    ),
    weights=(0.6, 0.4),
)
