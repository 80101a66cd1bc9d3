# 10,000 pairs of VGG-Sound to train on, with stored embeddings of the teachers.
_base_ = './flickr_soundnet_train.py'

train_data_root = 'data/vggsound/'
teacher_store = 'data/vggsound/teachers'

train_pipeline = [
    *_base_.train_pipeline[:-2],
    dict(_base_.train_pipeline[-2], store=teacher_store),
    _base_.train_pipeline[-1],
]
train_dataloader = dict(
    dataset=dict(
        _delete_=True,
        type='VGGSoundDataset',
        data_root=train_data_root,
        split_file='vggss_10k.txt',
        pipeline=train_pipeline,
    )
)
