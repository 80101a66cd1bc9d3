# VGG-SS: all annotated clips of VGG-Sound that are there.
_base_ = './flickr_soundnet_test.py'

test_data_root = 'data/vggsound/'

test_dataloader = dict(
    dataset=dict(
        _delete_=True,
        type='VGGSSDataset',
        data_root=test_data_root,
        ann_file='vggss.json',
        test_mode=True,
        pipeline=_base_.test_pipeline,
    )
)
val_dataloader = test_dataloader
