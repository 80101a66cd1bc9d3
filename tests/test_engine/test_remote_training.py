"""A training whose server goes away ends with an error that names the object, and can be resumed."""

import pytest
import torch
from file_server import FileServer
from mmdet.registry import MODELS
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.model import BaseModel
from mmengine.registry import init_default_scope
from mmengine.runner import Runner
from tiny_mavd import CROP, TinyMAVD
from torch import nn

from mmav.engine import StrictRunner


@MODELS.register_module()
class LevelModel(BaseModel):
    """Guesses a frame's number of boxes from the levels of the eight microphones."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.fc = nn.Linear(8, 1)

    def forward(self, inputs, data_samples=None, mode='tensor'):
        levels = torch.stack([audio.float().abs().mean(-1) / 3000 for audio in inputs['audio']])
        counts = torch.tensor([[float(len(sample.gt_instances))] for sample in data_samples])
        return dict(loss=(self.fc(levels) - counts).square().mean())


class StopServer(Hook):
    def __init__(self, server: FileServer, iteration: int) -> None:
        self.server, self.iteration = server, iteration

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None) -> None:
        if runner.iter == self.iteration:
            self.server.stop()


@pytest.fixture
def server(tmp_path):
    data = TinyMAVD(tmp_path / 'data', modalities=())
    data.root.mkdir()
    for number in range(4):
        data.add_frame(boxes=((30.0, 20.0, 40.0, 30.0),) * (number % 3))
    data.finish()
    with FileServer(data.root) as server:
        yield server


def runner_of(url: str, work_dir, workers: int = 0, resume: bool = False) -> Runner:
    init_default_scope('mmdet')
    dataset = dict(
        type='MAVDDataset',
        data_root=url,
        ann_file='annotations/train.json',
        modalities=(),
        crop=CROP,
        serialize_data=False,
        backend_args=dict(backend='retrying_http', retries=1, timeout=2, backoff=0.01),
        pipeline=[
            dict(type='LoadMultichannelAudio'),
            dict(type='LoadAnnotations', with_bbox=True),
            dict(type='PackAudioVisualInputs'),
        ],
    )
    return StrictRunner.from_cfg(
        Config(
            dict(
                default_scope='mmdet',
                model=dict(type='LevelModel'),
                work_dir=str(work_dir),
                train_dataloader=dict(
                    batch_size=2,
                    num_workers=workers,
                    sampler=dict(type='DefaultSampler', shuffle=True),
                    dataset=dataset,
                ),
                train_cfg=dict(type='EpochBasedTrainLoop', max_epochs=3),
                optim_wrapper=dict(optimizer=dict(type='SGD', lr=0.01, momentum=0.9)),
                default_hooks=dict(checkpoint=dict(type='AtomicCheckpointHook', interval=1)),
                randomness=dict(seed=3),
                resume=resume,
            )
        )
    )


def weights(runner: Runner) -> torch.Tensor:
    return runner.model.fc.weight.detach().clone()


def test_resumed_after_the_server_was_gone(server, tmp_path):
    whole = runner_of(server.url, tmp_path / 'whole')
    whole.train()

    broken = runner_of(server.url, tmp_path / 'broken')
    broken.register_hook(StopServer(server, iteration=2))  # an iteration of the second epoch is done
    address = rf'{server.url}/drive_0/audio/audio_\d_\w+\.(wav|\*)'
    with pytest.raises(ValueError, match=f'{address}: could not be read in 2 attempts .*--resume'):
        broken.train()
    server.start()
    resumed = runner_of(server.url, tmp_path / 'broken', resume=True)
    resumed.train()
    assert resumed.iter == whole.iter == 6
    assert torch.equal(weights(resumed), weights(whole))
    assert not torch.equal(weights(broken), weights(whole))


def test_an_error_in_a_worker_names_the_object_too(server, tmp_path):
    runner = runner_of(server.url, tmp_path / 'work', workers=1)
    server.faults[:] = [''] + ['busy'] * 99  # the annotations are read
    with pytest.raises(Exception, match=rf'{server.url}/drive_0/\S+: could not be read in 2 attempts'):
        runner.train()
