# DMIN trained as its authors' released program does: its formulas, 5e-4, doubles.
_base_ = './dmin_ave.py'

model = dict(protocol='official', data_preprocessor=dict(type='SegmentDataPreprocessor', dtype='float64'))
optim_wrapper = dict(optimizer=dict(lr=0.0005))
