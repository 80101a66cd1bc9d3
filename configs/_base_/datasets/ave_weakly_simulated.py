# The simulated set in AVE's layout, as ave_weakly.py takes it.
_base_ = './ave_weakly.py'

data_root = 'data/ave_simulated/'

train_dataloader = dict(num_workers=1, dataset=dict(data_root=data_root))
val_dataloader = dict(num_workers=1, dataset=dict(data_root=data_root))
test_dataloader = dict(num_workers=1, dataset=dict(data_root=data_root))
