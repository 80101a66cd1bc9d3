# Tracks by sound on simulated data: the small detector's boxes linked by their overlap, tested for what
# Table 3 of MM-DistillNet tests, beside the detection figures. Simulate with --frame-interval 0.1 0.1 or so:
# between frames half a second apart a near vehicle moves by more than half of its box.
_base_ = '../avd/faster_rcnn_r18_sim_audio.py'

tracker = dict(type='IoUTracker', init_score_thr=0.8, iou_thr=0.5, score_thr=0.3, patience=0)

val_evaluator = [
    *_base_.val_evaluator,
    dict(type='TrackingMetric', ann_file=_base_.data_root + 'annotations/val.json', tracker=tracker),
]
test_evaluator = [
    *_base_.test_evaluator,
    dict(type='TrackingMetric', ann_file=_base_.data_root + 'annotations/test.json', tracker=tracker),
]
