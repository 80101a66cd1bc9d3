"""Two processes are started into one folder: one does the work of one alone, the other says who holds it."""

import re
from pathlib import Path

import pytest
from tiny_mavd import CROP, TinyMAVD

from mmav.datasets.stores import prepared_store_writer
from mmav.datasets.stores.prepared_store import PreparedStore
from mmav.datasets.stores.prepared_store_writer import StoreWriter
from mmav.simulation import make_clip_config, simulate_clips
from mmav.simulation.clips import clips_dataset
from mmav.utils.locks import OutputInUseError
from mmav.utils.processes import multiprocessing_context

CLIPS = make_clip_config('small', clips=(2, 1, 1, 0), picture=(40, 60), duration=0.5)


def simulate(folder: Path, data: Path, refused) -> None:
    finish = clips_dataset._write_lists
    clips_dataset._write_lists = lambda *args: (refused.wait(300), finish(*args))
    simulate_clips(folder, CLIPS, workers=0, progress=False)
    clips_dataset._write_lists = finish


def prepare(folder: Path, data: Path, refused) -> None:
    finish = prepared_store_writer.write_index
    prepared_store_writer.write_index = lambda *args: (refused.wait(300), finish(*args))
    source = dict(ann_file='annotations/train.json', data_root=str(data), crop=CROP)
    StoreWriter(str(folder), [source], resize=dict(scale=(96, 64)), shard_size=1).write()
    prepared_store_writer.write_index = finish


def run(make, folder: Path, data: Path, refused, start, answer) -> None:
    start.wait(300)
    try:
        make(folder, data, refused)
    except OutputInUseError as error:
        refused.set()
        answer.send(str(error))
    else:
        answer.send('')


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob('*') if path.is_file()}


@pytest.mark.parametrize('make', [simulate, prepare])
def test_one_writes_and_the_other_names_it(make, tmp_path):
    data = TinyMAVD(tmp_path / 'mavd')
    data.add_frame()
    data.add_frame()
    data.finish()
    context = multiprocessing_context()
    refused, start = context.Event(), context.Barrier(2)
    pairs = []
    for _ in range(2):
        ours, theirs = context.Pipe()
        arguments = (make, tmp_path / 'out', data.root, refused, start, theirs)
        process = context.Process(target=run, args=arguments, daemon=True)
        process.start()
        theirs.close()
        pairs.append((process, ours))
    answers = [pipe.recv() for _, pipe in pairs]
    for process, _ in pairs:
        process.join()
    assert sorted(map(bool, answers)) == [False, True]
    winner = pairs[answers.index('')][0].pid
    assert re.match(rf'{tmp_path}/out is in use by process {winner} on ', max(answers))

    make(tmp_path / 'alone', data.root, refused)
    assert contents(tmp_path / 'out') == contents(tmp_path / 'alone')
    if make is prepare:
        PreparedStore(str(tmp_path / 'out')).verify()
