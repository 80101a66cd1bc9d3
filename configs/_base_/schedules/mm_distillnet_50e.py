# The paper's: Adam at 1e-5, weight decay 5e-4, 50 epochs, the rate cut when validation stops improving. What
# is watched, and how long, is not stated: mAP, and PyTorch's own defaults of ReduceLROnPlateau.
train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=50, val_interval=1)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')

optim_wrapper = dict(
    type='OptimWrapper', optimizer=dict(type='Adam', lr=0.00001, betas=(0.9, 0.999), weight_decay=0.0005)
)
param_scheduler = [
    dict(type='ReduceOnPlateauLR', monitor='mavd/mAP', rule='greater', factor=0.1, patience=10, by_epoch=True)
]
# Two samples on each of 4 GPUs. With --auto-scale-lr the rate follows the true batch size.
auto_scale_lr = dict(enable=False, base_batch_size=8)
