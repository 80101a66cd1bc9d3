"""Two tiny detectors, frames for them, and the pseudo-label tool's command line."""

import json
from pathlib import Path

import cv2
import numpy as np
import torch
from mmdet.registry import MODELS
from mmengine.config import Config
from mmengine.registry import init_default_scope

TOOL = Path(__file__).parents[2] / 'tools' / 'dataset_converters' / 'mavd_pseudo_labels.py'
NUM_FRAMES = 7
SIZE = 64

CONFIG = """
default_scope = 'mmdet'
model = dict(
    type='FasterRCNN',
    data_preprocessor=dict(type='DetDataPreprocessor', mean=[100.] * 3, std=[50.] * 3, pad_size_divisor=32),
    backbone=dict(type='ResNet', depth=18, base_channels=8, norm_cfg=dict(type='BN'), norm_eval=True),
    neck=dict(type='FPN', in_channels=[8, 16, 32, 64], out_channels=16, num_outs=5),
    rpn_head=dict(
        type='RPNHead', in_channels=16, feat_channels=16,
        anchor_generator=dict(type='AnchorGenerator', scales=[4], ratios=[1.0], strides=[4, 8, 16, 32, 64]),
        bbox_coder=dict(type='DeltaXYWHBBoxCoder')),
    roi_head=dict(
        type='StandardRoIHead',
        bbox_roi_extractor=dict(
            type='SingleRoIExtractor', roi_layer=dict(type='RoIAlign', output_size=7, sampling_ratio=0),
            out_channels=16, featmap_strides=[4, 8, 16, 32]),
        bbox_head=dict(
            type='Shared2FCBBoxHead', in_channels=16, fc_out_channels=32, roi_feat_size=7,
            num_classes=NUM_CLASSES,
            bbox_coder=dict(type='DeltaXYWHBBoxCoder', target_stds=[.1, .1, .2, .2]))),
    train_cfg=None,
    test_cfg=dict(
        rpn=dict(nms_pre=100, max_per_img=30, nms=dict(type='nms', iou_threshold=0.7), min_bbox_size=0),
        rcnn=dict(score_thr=0.05, nms=dict(type='nms', iou_threshold=0.5), max_per_img=15)))
test_dataloader = dict(dataset=dict(
    type='CocoDataset', data_root='elsewhere', ann_file='other.json', data_prefix=dict(img=''),
    metainfo=dict(classes=CLASSES),
    pipeline=[
        dict(type='LoadImageFromFile'),
        dict(type='Resize', scale=(96, 96), keep_ratio=True),
        dict(type='LoadAnnotations', with_bbox=True),
        dict(type='PackDetInputs',
             meta_keys=('img_id', 'img_path', 'ori_shape', 'img_shape', 'scale_factor'))]))
"""

KILLER = """
import os, signal
from mmdet.registry import TRANSFORMS

@TRANSFORMS.register_module()
class KillAtFrame:
    def __call__(self, results):
        if os.environ.get('KILL_AT') and os.environ['KILL_AT'] in results['img_path']:
            os.kill(os.getpid(), signal.SIGKILL)
        return results
"""


def write_teacher(folder, name, seed, classes=('vehicle',)):
    """A detector with random weights, so that it finds boxes, if meaningless ones, everywhere."""
    config = folder / f'{name}.py'
    text = CONFIG.replace('NUM_CLASSES', str(len(classes))).replace('CLASSES', repr(tuple(classes)))
    config.write_text(text)
    init_default_scope('mmdet')
    torch.manual_seed(seed)
    model = MODELS.build(Config.fromfile(config).model)
    model.init_weights()
    head = model.roi_head.bbox_head
    for parameter in head.parameters():
        parameter.data.normal_(0, 0.05)
    head.fc_cls.bias.data[:-1] = 0.5
    checkpoint = folder / f'{name}.pth'
    meta = dict(dataset_meta=dict(classes=tuple(classes)))
    torch.save(dict(state_dict=model.state_dict(), meta=meta), checkpoint)
    return str(config), str(checkpoint)


def make_killable(folder, config):
    """A copy of a teacher's config whose process dies at the frame that KILL_AT names."""
    (folder / 'kill_at_frame.py').write_text(KILLER)
    steps = "dict(type='KillAtFrame'), dict(type='LoadImageFromFile'),"
    text = Path(config).read_text().replace("dict(type='LoadImageFromFile'),", steps)
    killable = folder / 'killable.py'
    killable.write_text("custom_imports = dict(imports=['kill_at_frame'])\n" + text)
    return str(killable)


def write_frames(root):
    """Images of one drive, the list of them, and human labels of two."""
    generator = np.random.default_rng(0)
    images = []
    for i in range(NUM_FRAMES):
        name = f'drive/fl_rgb/fl_rgb_{i}.png'
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        blocks = generator.integers(0, 255, (8, 8, 3), dtype=np.uint8)
        cv2.imwrite(str(root / name), blocks.repeat(8, axis=0).repeat(8, axis=1))
        images.append(dict(id=100 + i, file_name=name, width=SIZE, height=SIZE))
    categories = [dict(id=1, name='vehicle')]
    frames = dict(categories=categories, images=images, annotations=[])
    (root / 'frames.json').write_text(json.dumps(frames))
    few = dict(
        frames,
        images=images[2:4],
        annotations=[dict(id=1, image_id=103, category_id=1, bbox=[1, 2, 30, 20], area=600, iscrowd=0)],
    )
    (root / 'few.json').write_text(json.dumps(few))


def arguments(out, data, teachers, *more):
    named = [part for modality, files in teachers.items() for part in ('--teacher', modality, *files)]
    fixed = ['--data-root', data, '--ann-file', 'frames.json', '--num-workers', 0, '--device', 'cpu']
    return [str(part) for part in (out, *named, *fixed, '--score-thr', 0.4, '--batch-size', 3, *more)]
