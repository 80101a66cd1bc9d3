# Weakly supervised DMIN trained as its authors' released program does: its formulas, 5e-4, doubles,
# no clipping.
_base_ = './dmin_ave_weakly.py'

model = dict(protocol='official', data_preprocessor=dict(type='SegmentDataPreprocessor', dtype='float64'))
optim_wrapper = dict(optimizer=dict(lr=0.0005), clip_grad=None)
param_scheduler = [dict(type='MultiStepLR', by_epoch=True, milestones=[5, 20, 40], gamma=0.5)]
randomness = dict(seed=666)
