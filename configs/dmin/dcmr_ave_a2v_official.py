# DCMR trained as its authors' released program does: windows that multiply each other, 5e-4, doubles.
_base_ = './dcmr_ave_a2v.py'

model = dict(protocol='official', data_preprocessor=dict(type='SegmentDataPreprocessor', dtype='float64'))
optim_wrapper = dict(optimizer=dict(lr=0.0005))
randomness = dict(seed=700)
