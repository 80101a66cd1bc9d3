# The simulated set in AVE's layout, small enough for a CPU.
_base_ = './ave.py'

data_root = 'data/ave_simulated/'

train_dataloader = dict(num_workers=1, dataset=dict(data_root=data_root))
val_dataloader = dict(num_workers=1, dataset=dict(data_root=data_root))
test_dataloader = dict(num_workers=1, dataset=dict(data_root=data_root))
