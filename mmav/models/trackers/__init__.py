from .iou_tracker import IoUTracker

__all__ = ['IoUTracker']
