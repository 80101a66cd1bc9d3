# Clips to pretrain on, in LLP's layout: their list and the features of sound and image. No label is read.
# The paper takes 29,000 clips of AudioSet that it does not name.
data_root = 'data/audioset/'

train_dataloader = dict(
    batch_size=64,
    num_workers=4,
    persistent_workers=True,
    drop_last=True,
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(
        type='LLPDataset',
        data_root=data_root,
        ann_file='train.csv',
        data_prefix=dict(audio='feats/vggish', visual='feats/res152'),
        pipeline=[dict(type='PackSegmentInputs', keys=('audio', 'visual'), gt_keys=())],
    ),
)
