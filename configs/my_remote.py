# file: configs/my_remote.py
_base_ = './avd/faster_rcnn_r18_sim_audio.py'

data_root = 's3://drives/mavd/'
backend_args = dict(backend='s3', endpoint_url='http://minio:9000', retries=8, timeout=60)

train_dataloader = dict(dataset=dict(data_root=data_root, backend_args=backend_args))
val_dataloader = dict(dataset=dict(data_root=data_root, backend_args=backend_args))
test_dataloader = dict(dataset=dict(data_root=data_root, backend_args=backend_args))
val_evaluator = [
    dict(
        type='MAVDMetric',
        ann_file=data_root + 'annotations/val.json',
        metric='bbox',
        backend_args=backend_args,
    )
]
