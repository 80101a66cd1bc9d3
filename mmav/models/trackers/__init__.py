from .iou_tracker import IoUTracker
from .mmdet_tracker import MMDetTracker

__all__ = ['IoUTracker', 'MMDetTracker']
