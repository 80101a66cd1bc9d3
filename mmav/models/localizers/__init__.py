from .avc_localizer import AVCLocalizer
from .avc_teachers import AVCTeachers
from .object_guided_localizer import ObjectGuidedLocalizer
from .object_maps import DETRObjectMap, FeatureObjectMap

__all__ = ['AVCLocalizer', 'AVCTeachers', 'DETRObjectMap', 'FeatureObjectMap', 'ObjectGuidedLocalizer']
