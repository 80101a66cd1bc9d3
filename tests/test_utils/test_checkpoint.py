"""Checkpoints are read without running their code and loaded whole or not at all."""

import pickle
import zipfile

import numpy as np
import pytest
import torch
from mmengine.logging import HistoryBuffer, MessageHub
from torch import nn

from mmav.utils.checkpoint import admit, load_strict, read_checkpoint, select_state_dict

pytestmark = pytest.mark.stack


class Payload:
    """Writes a file when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (str(self.path), 'w')


def test_reads_what_mmengines_runner_saves(tmp_path):
    hub = MessageHub('checkpoint_test')
    hub.update_scalar('train/loss', 0.5)
    checkpoint = dict(
        meta=dict(epoch=3, experiment='x', dataset_meta=dict(classes=('vehicle',))),
        state_dict=nn.Linear(2, 3).state_dict(),
        message_hub=hub.state_dict(),
        array=np.arange(3.0),
        scalar=np.float64(2.5),
    )
    torch.save(checkpoint, tmp_path / 'x.pth')
    read = read_checkpoint(str(tmp_path / 'x.pth'))
    assert read['meta'] == checkpoint['meta'] and read['scalar'] == 2.5
    torch.testing.assert_close(read['state_dict'], checkpoint['state_dict'])
    history = read['message_hub']['log_scalars']['train/loss']
    assert isinstance(history, HistoryBuffer) and history.current() == 0.5


@pytest.mark.parametrize('core', ['core', '_core'])
def test_reads_what_either_numpy_wrote(tmp_path, core):
    # numpy 2 renamed numpy.core: checkpoints with log histories of numpy 1 were refused
    torch.save(dict(array=np.arange(3.0), scalar=np.float64(2.5)), tmp_path / 'x.pth')
    with zipfile.ZipFile(tmp_path / 'x.pth') as source, zipfile.ZipFile(tmp_path / 'y.pth', 'w') as target:
        for name in source.namelist():
            content = source.read(name)
            if name.endswith('data.pkl'):
                content = content.replace(b'numpy._core', b'numpy.core')
                assert b'numpy.core.multiarray' in content
                content = content.replace(b'numpy.core', f'numpy.{core}'.encode())
            target.writestr(name, content)
    read = read_checkpoint(str(tmp_path / 'y.pth'))
    assert read['array'].tolist() == [0, 1, 2] and read['scalar'] == 2.5


@pytest.mark.parametrize('hide_in', ['state_dict', 'getattr'])
def test_does_not_run_code(tmp_path, hide_in):
    victim = tmp_path / 'victim'
    if hide_in == 'state_dict':
        torch.save(dict(state_dict=dict(a=Payload(victim))), tmp_path / 'x.pth')
    else:  # getattr is admitted for log histories' statistics alone

        class Getter:
            def __reduce__(self):
                return getattr, (HistoryBuffer, '__subclasses__')

        torch.save(dict(a=Getter()), tmp_path / 'x.pth')
    with pytest.raises(ValueError, match=r'x\.pth'):
        read_checkpoint(str(tmp_path / 'x.pth'))
    assert not victim.exists()


@pytest.mark.parametrize('damage', ['truncated', 'empty', 'text', 'tensor', 'pickle'])
def test_names_a_damaged_file(tmp_path, damage):
    path = tmp_path / 'x.pth'
    torch.save(nn.Linear(200, 30).state_dict(), path)
    if damage == 'truncated':
        path.write_bytes(path.read_bytes()[:-2000])
    elif damage == 'tensor':
        torch.save(torch.zeros(3), path)
    else:
        path.write_bytes(dict(empty=b'', text=b'hello', pickle=pickle.dumps(Payload(tmp_path / 'y')))[damage])
    with pytest.raises(ValueError, match=r'x\.pth'):
        read_checkpoint(str(path))
    assert not (tmp_path / 'y').exists()


def test_names_a_file_whose_weights_flipped_a_bit(tmp_path):
    path = tmp_path / 'x.pth'
    torch.save(dict(weight=torch.arange(1000.0)), path)
    content = bytearray(path.read_bytes())
    place = content.index(torch.arange(500.0, 510).numpy().tobytes())
    content[place + 2] ^= 1
    path.write_bytes(content)
    changed = torch.load(path, weights_only=True)['weight'] != torch.arange(1000.0)
    assert changed.sum() == 1  # torch reads the wrong number without a word
    with pytest.raises(ValueError, match=r"x\.pth: is damaged: .*data/0' .* checksum"):
        read_checkpoint(str(path))


def test_missing_files_and_unknown_weights(tmp_path):
    with pytest.raises(FileNotFoundError):
        read_checkpoint(str(tmp_path / 'nothing.pth'))
    for name in ('torchvision://resnet5000', 'torchvision://resnet50.imagenet1k_v9'):
        with pytest.raises(ValueError, match='resnet50'):
            read_checkpoint(name)


def test_selects_a_part_of_any_layout():
    bare = {'backbone.conv1.weight': torch.ones(1), 'backbones.x': torch.ones(1), 'neck.y': torch.ones(1)}
    for checkpoint in (
        bare,
        dict(state_dict=bare),
        dict(model=bare),
        {f'module.{k}': v for k, v in bare.items()},
    ):
        assert list(select_state_dict(checkpoint)) == list(bare)
        assert list(select_state_dict(checkpoint, 'backbone')) == ['conv1.weight']
    with pytest.raises(KeyError, match=r'file\.pth.*head.*backbone'):
        select_state_dict(bare, 'head', 'file.pth')
    with pytest.raises(ValueError, match=r'backbone\.a'):
        select_state_dict({'backbone.a': 3})


@pytest.mark.parametrize(
    ('change', 'named'),
    [
        (lambda s: s.pop('0.bias'), '0.bias'),
        (lambda s: s.update(extra=torch.zeros(1)), 'extra'),
        (lambda s: s.update({'0.weight': torch.zeros(3, 5)}), r'0\.weight \(3, 5\) for \(3, 2\)'),
    ],
)
def test_loads_all_or_nothing(change, named):
    module = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3))
    before = {name: value.clone() for name, value in module.state_dict().items()}
    state_dict = {name: value + 1 for name, value in before.items()}
    change(state_dict)
    with pytest.raises(RuntimeError, match=named):
        load_strict(module, state_dict, 'file.pth')
    assert all(torch.equal(value, before[name]) for name, value in module.state_dict().items())


def test_allowances_and_old_batch_counters():
    module = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3))
    state_dict = {name: value + 1 for name, value in module.state_dict().items()}
    del state_dict['1.num_batches_tracked'], state_dict['0.bias']
    state_dict['fc.weight'] = torch.zeros(1)
    load_strict(module, state_dict, allow_missing=['0.b'], allow_unexpected=['fc.'])
    assert torch.equal(module[1].weight, state_dict['1.weight'])


def test_admits_more_only_for_a_while():
    before = torch.serialization.get_safe_globals()
    with pytest.raises(RuntimeError, match='inside'), admit([Payload]):
        assert Payload in torch.serialization.get_safe_globals()
        raise RuntimeError('inside')
    assert set(torch.serialization.get_safe_globals()) == set(before)
