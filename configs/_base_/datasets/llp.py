# LLP as published: tab-separated labels, three folders of features.
data_root = 'data/llp/'
features = dict(audio='feats/vggish', visual='feats/res152', visual_st='feats/r2plus1d_18')

pipeline = [dict(type='PackSegmentInputs', keys=('audio', 'visual', 'visual_st'))]

train_dataloader = dict(
    batch_size=64,
    num_workers=4,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(
        type='LLPDataset',
        data_root=data_root,
        ann_file='AVVP_train.csv',
        data_prefix=features,
        pipeline=pipeline,
    ),
)
val_dataloader = dict(
    batch_size=64,
    num_workers=4,
    persistent_workers=True,
    drop_last=False,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='LLPDataset',
        data_root=data_root,
        ann_file='AVVP_val_pd.csv',
        data_prefix=features,
        test_mode=True,
        pipeline=pipeline,
    ),
)
test_dataloader = dict(val_dataloader, dataset=dict(val_dataloader['dataset'], ann_file='AVVP_test_pd.csv'))

val_evaluator = [dict(type='LLPMetric')]
test_evaluator = [dict(type='LLPMetric', classwise=True)]
