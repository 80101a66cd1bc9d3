# AVE's short events for cross-modality localization: one visual vector a second, and the query's seconds.
_base_ = './ave.py'

pipeline = [dict(type='PackSegmentInputs', keys=('visual', 'audio', 'query_mask'))]

train_dataloader = dict(dataset=dict(supervision='cross_modality', pipeline=pipeline))
val_dataloader = dict(dataset=dict(supervision='cross_modality', pipeline=pipeline))
test_dataloader = dict(dataset=dict(supervision='cross_modality', pipeline=pipeline))

val_evaluator = [dict(type='CrossModalityMetric')]
test_evaluator = val_evaluator
