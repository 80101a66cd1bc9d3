# The simulated set in LLP's layout, small enough for a CPU.
_base_ = './llp.py'

data_root = 'data/llp_simulated/'

train_dataloader = dict(batch_size=32, num_workers=1, dataset=dict(data_root=data_root))
val_dataloader = dict(num_workers=1, dataset=dict(data_root=data_root))
test_dataloader = dict(num_workers=1, dataset=dict(data_root=data_root))
