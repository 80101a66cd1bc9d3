# Tested, too, with silence, noise and other clips' sounds: does the map stay on?
_base_ = './avc_r18_vggsound10k.py'

train_dataloader = dict(dataset=dict(split_file='vggss_144k.txt'))
test_dataloader = dict(
    dataset=dict(_delete_=True, type='NegativeSoundDataset', dataset=_base_.test_dataloader.dataset)
)
