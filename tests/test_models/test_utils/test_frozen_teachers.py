"""Teachers' weights: from their own checkpoints, in and out of the distiller's; labels as off line."""

import copy
import importlib.util
import json
import sys
from pathlib import Path

import pytest
import torch
from mmdet.registry import DATASETS, MODELS
from mmdet.structures import DetDataSample
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.registry import RUNNERS, init_default_scope
from mmengine.structures import InstanceData
from tiny_mavd import CROP, SIZE, TinyMAVD

from mmav.models.utils.frozen_teachers import FrozenTeachers

ROOT = Path(__file__).parents[3]
CONFIG = 'mm_distillnet/distillnet_r18_sim.py'
TEACHERS = {modality: f'avd/faster_rcnn_r18_sim_{modality}.py' for modality in ('rgb', 'thermal', 'depth')}
MODALITIES = ('audio', *TEACHERS)


@DATASETS.register_module()
class ToyMoments:
    """A second of noise and random images, fixed by their index."""

    metainfo = dict(classes=('vehicle',))

    def __len__(self) -> int:
        return 8

    def __getitem__(self, index: int) -> dict:
        generator = torch.Generator().manual_seed(index)
        shapes = dict(rgb=(3, 64, 64), thermal=(1, 64, 64), depth=(3, 64, 64))
        inputs = {
            name: torch.randint(0, 256, shape, generator=generator, dtype=torch.uint8)
            for name, shape in shapes.items()
        }
        inputs['audio'] = torch.randint(-9000, 9000, (8, 44100), generator=generator, dtype=torch.int16)
        shape = dict(img_shape=(64, 64), ori_shape=(65, 152), scale_factor=(64 / 152, 64 / 65))
        return dict(inputs=inputs, data_samples=DetDataSample(metainfo=shape))


@pytest.fixture(autouse=True)
def unformatted_configs(monkeypatch):
    """Formatting configs, which each checkpoint holds, would take longer than all the training."""
    monkeypatch.setattr('yapf.yapflib.yapf_api.FormatCode', lambda text, **_: (text, True))


@pytest.fixture
def teacher_files(toy_config, build_detector, tmp_path):
    """A checkpoint of each teacher, made by its own config; different seeds."""
    paths = {}
    for seed, (modality, name) in enumerate(TEACHERS.items(), 10):
        detector = build_detector(toy_config(name), seed)
        paths[modality] = str(tmp_path / f'{modality}.pth')
        torch.save(dict(state_dict=detector.state_dict(), meta={}), paths[modality])
    return paths


def checkpoints(paths):
    options = {f'model.teachers.{modality}.checkpoint': path for modality, path in paths.items()}
    return {'model.allow_untrained_teachers': False, **options}


def same(state_dict, path):
    saved = torch.load(path, weights_only=True)['state_dict']
    return state_dict.keys() == saved.keys() and all(
        torch.equal(state_dict[name], value) for name, value in saved.items()
    )


def test_each_teacher_gets_its_own_checkpoint(toy_config, build_detector, teacher_files):
    distiller = build_detector(toy_config(CONFIG, checkpoints(teacher_files)))
    for modality, path in teacher_files.items():
        assert same(distiller.teachers[modality].state_dict(), path)
    # without the initialization that a runner does, the first loss reads them
    init_default_scope('mmdet')
    distiller = MODELS.build(toy_config(CONFIG, checkpoints(teacher_files)).model)
    assert not same(distiller.teachers['rgb'].state_dict(), teacher_files['rgb'])
    distiller.teachers.require_weights()
    assert same(distiller.teachers['rgb'].state_dict(), teacher_files['rgb'])


def test_a_missing_checkpoint_stops_training_and_nothing_else(
    toy_config, build_detector, toy_batch, teacher_files
):
    del teacher_files['thermal']
    distiller = build_detector(toy_config(CONFIG, checkpoints(teacher_files)))
    assert len(distiller.eval().test_step(toy_batch(('audio',)))) == 2
    data = distiller.data_preprocessor(toy_batch(MODALITIES), True)
    with pytest.raises(ValueError, match=r'--cfg-options model\.teachers\.thermal\.checkpoint=FILE '):
        distiller(**data, mode='loss')


def test_a_checkpoint_that_does_not_fit_is_an_error(toy_config, build_detector, teacher_files):
    teacher_files['depth'] = teacher_files['thermal']  # one channel for three
    with pytest.raises(
        RuntimeError, match=r'(?s)model\.teachers\.depth\.checkpoint.*backbone\.conv1\.weight'
    ):
        build_detector(toy_config(CONFIG, checkpoints(teacher_files)))
    content = torch.load(teacher_files['rgb'], weights_only=True)
    del content['state_dict']['neck.fpn_convs.0.conv.bias']
    torch.save(content, teacher_files['depth'] + '.part')
    teacher_files['depth'] += '.part'
    with pytest.raises(RuntimeError, match=r'missing: neck\.fpn_convs\.0\.conv\.bias'):
        build_detector(toy_config(CONFIG, checkpoints(teacher_files)))


def test_config_file_of_a_teacher(toy_config, build_detector, tmp_path):
    cfg = toy_config(TEACHERS['thermal'])
    cfg.dump(tmp_path / 'thermal.py')
    inline = FrozenTeachers(dict(thermal=dict(model=cfg.model)))
    by_path = FrozenTeachers(dict(thermal=dict(config=str(tmp_path / 'thermal.py'))))
    shapes = [
        {name: value.shape for name, value in teachers.state_dict().items()} for teachers in (inline, by_path)
    ]
    assert shapes[0] == shapes[1] and all(name.startswith('thermal.') for name in shapes[0])


def test_images_are_normalized_as_the_teacher_was_trained(toy_config, build_detector):
    cfg = toy_config(CONFIG)
    for modality, name in TEACHERS.items():
        cfg.model.teachers[modality].model = toy_config(name).model
    build_detector(cfg)
    for modality, change in (('thermal', dict(mean=[100.0])), ('rgb', dict(bgr_to_rgb=False))):
        other = copy.deepcopy(cfg)
        other.model.data_preprocessor.modalities[modality].update(change)
        with pytest.raises(ValueError, match=rf'teachers\.{modality} was trained on'):
            build_detector(other)
    # a stock detector's preprocessor says it in its own words
    stock = dict(type='DetDataPreprocessor', mean=[1.0, 2, 3], std=[4.0, 5, 6], bgr_to_rgb=True)
    cfg = toy_config(CONFIG)
    cfg.model.teachers.rgb.model.data_preprocessor = stock
    with pytest.raises(ValueError, match=r'teachers\.rgb was trained on .*\[1\.0, 2\.0, 3\.0\]'):
        build_detector(cfg)
    cfg.model.data_preprocessor.modalities.rgb = dict(mean=[1.0, 2, 3], std=[4.0, 5, 6], bgr_to_rgb=True)
    build_detector(cfg)


# the distiller's own checkpoints


def test_state_dict_without_teachers(toy_config, build_detector, teacher_files):
    distiller = build_detector(toy_config(CONFIG, checkpoints(teacher_files)))
    state_dict = distiller.state_dict()
    assert {name.split('.')[0] for name in state_dict} == {'student'}
    other = build_detector(toy_config(CONFIG, checkpoints(teacher_files)), seed=1)
    other.load_state_dict(state_dict, strict=True)
    assert all(torch.equal(value, state_dict[name]) for name, value in other.state_dict().items())
    assert same(other.teachers['rgb'].state_dict(), teacher_files['rgb'])
    with pytest.raises(RuntimeError, match=r'Unexpected.*teachers\.rgb\.x'):
        other.load_state_dict({**state_dict, 'teachers.rgb.x': torch.zeros(1)}, strict=True)


def test_state_dict_with_teachers(toy_config, build_detector, toy_batch, teacher_files):
    saving = {'model.save_teachers': True}
    state_dict = build_detector(toy_config(CONFIG, {**checkpoints(teacher_files), **saving})).state_dict()
    names = {'.'.join(name.split('.')[:2]) for name in state_dict if name.startswith('teachers.')}
    assert names == {'teachers.rgb', 'teachers.thermal', 'teachers.depth'}
    # they count as the teachers' weights: no other file is asked for
    other = build_detector(toy_config(CONFIG, {'model.allow_untrained_teachers': False, **saving}), seed=1)
    other.load_state_dict(state_dict, strict=True)
    for modality, path in teacher_files.items():
        assert same(other.teachers[modality].state_dict(), path)
    assert other(**other.data_preprocessor(toy_batch(MODALITIES), True), mode='loss')['loss_mta'] > 0
    del state_dict['teachers.depth.backbone.conv1.weight']
    with pytest.raises(RuntimeError, match=r'Missing.*teachers\.depth\.backbone\.conv1\.weight'):
        other.load_state_dict(state_dict, strict=True)


def train(toy_config, folder, iterations, options, resume=False):
    cfg = toy_config(CONFIG, options)
    cfg.merge_from_dict(
        dict(
            work_dir=str(folder),
            experiment_name=f'{folder.name}_{iterations}_{resume}',
            resume=resume,
            randomness=dict(seed=3),
            train_cfg=dict(max_iters=iterations, val_interval=100),
            train_dataloader=dict(
                batch_size=2,
                num_workers=0,
                persistent_workers=False,
                dataset=dict(_delete_=True, type='ToyMoments'),
            ),
            default_hooks=dict(checkpoint=dict(interval=2, max_keep_ckpts=9), logger=dict(interval=1)),
        )
    )
    for key in (
        'val_dataloader',
        'val_cfg',
        'val_evaluator',
        'test_dataloader',
        'test_cfg',
        'test_evaluator',
    ):
        cfg[key] = None
    del cfg.default_hooks.visualization
    runner = RUNNERS.build(cfg)
    runner.train()
    return torch.load(folder / f'iter_{iterations}.pth', weights_only=False)


@pytest.mark.parametrize('save_teachers', [False, True])
def test_resumed_run_equals_the_uninterrupted_one(toy_config, tmp_path, teacher_files, save_teachers):
    options = {**checkpoints(teacher_files), 'model.save_teachers': save_teachers}
    whole = train(toy_config, tmp_path / 'whole', 4, options)
    assert any(name.startswith('teachers.') for name in whole['state_dict']) == save_teachers
    trained = sum(len(group['params']) for group in whole['optimizer']['param_groups'])
    assert trained < len(whole['state_dict']) and trained == len(whole['optimizer']['state'])

    train(toy_config, tmp_path / 'parts', 2, options)
    if save_teachers:  # their own files are not needed any more
        options = {'model.allow_untrained_teachers': False, 'model.save_teachers': True}
    resumed = train(toy_config, tmp_path / 'parts', 4, options, resume=True)

    assert whole['state_dict'].keys() == resumed['state_dict'].keys()
    assert all(torch.equal(value, resumed['state_dict'][name]) for name, value in whole['state_dict'].items())
    if save_teachers:
        return
    # a run whose teachers differ ends elsewhere
    swapped = {**teacher_files, 'rgb': teacher_files['depth']}
    other = train(toy_config, tmp_path / 'other', 4, checkpoints(swapped))
    assert not torch.equal(
        other['state_dict']['student.backbone.conv1.weight'],
        whole['state_dict']['student.backbone.conv1.weight'],
    )


# labels on line and off line


@pytest.fixture
def label_tool():
    path = ROOT / 'tools' / 'dataset_converters' / 'mavd_pseudo_labels.py'
    spec = importlib.util.spec_from_file_location('mavd_pseudo_labels_for_distiller', path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    yield module
    del sys.modules[spec.name]


def loaded(cfg, root, mode, **options):
    """Frames of the config's training data without augmentation, 64 x 64 pixels."""
    pipeline = [step for step in cfg.train_pipeline if step.type != 'MirrorFlip']
    for step in pipeline:
        if step.type == 'ResizeModalities':
            step.update(scale=(64, 64), mode=mode)
        if step.type == 'LoadVisualModalities':
            step.update(crop=CROP)
    settings = dict(cfg.train_dataloader.dataset, data_root=str(root), crop=CROP, pipeline=pipeline)
    dataset = DATASETS.build({**settings, **options})
    return [dataset[i] for i in range(len(dataset))]


@pytest.mark.parametrize('mode', ['stretch', 'letterbox'])
def test_labels_on_line_are_those_off_line(
    toy_config, build_detector, label_tool, teacher_files, tmp_path, mode
):
    tiny = TinyMAVD(tmp_path / 'data')
    for _ in range(4):
        tiny.add_frame()
    root = tiny.finish('train')
    arguments = [str(root / 'annotations' / 'pseudo_train.json'), '--data-root', str(root)]
    for modality, name in TEACHERS.items():
        cfg = toy_config(name)
        cfg.test_dataloader.dataset.crop = CROP
        for step in cfg.test_dataloader.dataset.pipeline:
            if step.type == 'ResizeModalities':
                step.update(scale=(64, 64), mode=mode)
            if step.type == 'LoadVisualModalities':
                step.update(crop=CROP)
        cfg.dump(tmp_path / f'{modality}.py')
        arguments += ['--teacher', modality, str(tmp_path / f'{modality}.py'), teacher_files[modality]]
    arguments += ['--split-file', 'train.txt', '--batch-size', '2', '--num-workers', '0', '--device', 'cpu']
    label_tool.main(arguments)

    distiller = build_detector(toy_config(CONFIG, checkpoints(teacher_files))).train()
    on_line = loaded(toy_config(CONFIG), root, mode)
    off_line = loaded(toy_config('mm_distillnet/distillnet_r18_sim_offline.py'), root, mode)
    assert not any('gt_instances' in item['data_samples'] and len(item['data_samples'].gt_instances)
                   for item in on_line)  # fmt: skip
    total = 0
    for start in (0, 2):
        data = distiller.data_preprocessor(pseudo_collate(on_line[start : start + 2]), True)
        _, found = distiller.teachers(data['inputs'], data['data_samples'], {}, predict=True)
        for ours, item in zip(distiller.label(found, data['data_samples']), off_line[start : start + 2]):
            theirs = item['data_samples'].gt_instances
            assert ours.frame_id == item['data_samples'].frame_id
            torch.testing.assert_close(
                ours.gt_instances.bboxes, theirs.bboxes.tensor, rtol=0, atol=0.01
            )  # files hold hundredths of a pixel
            assert torch.equal(ours.gt_instances.labels, theirs.labels)
            total += len(theirs)
    content = json.loads((root / 'annotations' / 'pseudo_train.json').read_text())
    assert total == len(content['annotations']) > 4
    assert {ann['modality'] for ann in content['annotations']} == set(TEACHERS)


def test_a_teachers_boxes_are_cut_to_the_image(toy_config, build_detector):
    teachers = FrozenTeachers(dict(rgb=dict(model=toy_config(TEACHERS['rgb']).model)))
    sample = DetDataSample(metainfo=dict(ori_shape=(SIZE[1], SIZE[0])))
    sample.pred_instances = InstanceData(
        bboxes=torch.tensor([[-3.0, 1.004, 200.0, 70.0]]), scores=torch.ones(1), labels=torch.zeros(1).long()
    )
    expected = torch.tensor([[0.0, 1.0, SIZE[0], SIZE[1]]])
    torch.testing.assert_close(teachers._as_labels('rgb', sample).bboxes, expected)


def test_config_that_was_dumped_builds_the_same_teachers(toy_config, build_detector, tmp_path):
    cfg = toy_config(CONFIG)
    cfg.dump(tmp_path / 'dumped.py')
    again = build_detector(Config.fromfile(tmp_path / 'dumped.py'))
    first = build_detector(cfg)
    shapes = [{n: v.shape for n, v in model.teachers.state_dict().items()} for model in (first, again)]
    assert shapes[0] == shapes[1]
