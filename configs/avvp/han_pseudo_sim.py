# HAN with soft labels of segments as a further target; any source, see docs/avvp.md.
# Small, on simulated data.
_base_ = './han_sim.py'

model = dict(pseudo_loss=dict(type='SegmentPseudoLabelLoss', loss_weight=1.0))

train_pipeline = [dict(_base_.pipeline[0], gt_keys=('gt_events', 'pseudo_audio', 'pseudo_visual'))]
train_dataloader = dict(
    dataset=dict(
        pseudo_labels=dict(audio='pseudo_audio.tsv', visual='pseudo_visual.tsv'), pipeline=train_pipeline
    )
)
