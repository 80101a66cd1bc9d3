# default_runtime.py for training that counts iterations.
_base_ = './default_runtime.py'

default_hooks = dict(
    logger=dict(interval=25), checkpoint=dict(by_epoch=False, interval=300, max_keep_ckpts=2)
)
log_processor = dict(window_size=25, by_epoch=False)
