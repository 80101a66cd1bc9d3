"""Mutated files of every format end in an error that names them, or in the right value.

``MMAV_FUZZ_INPUTS`` and ``MMAV_FUZZ_SEED`` say how many and which; see ``fuzz.py``, which `make fuzz` runs.
"""

import os

import pytest
from fuzz import FAULT, NAMED, describe, fuzz, run
from mmengine.registry import init_default_scope


def test_mutated_files_are_named_or_right():
    inputs, seed = (
        int(os.environ.get(f'MMAV_FUZZ_{name}', value)) for name, value in (('INPUTS', 2000), ('SEED', 0))
    )
    outcomes = fuzz(inputs, seed)
    assert [outcome.number for outcome in outcomes] == list(range(inputs))
    faults = [describe(outcome, seed) for outcome in outcomes if outcome.kind == FAULT]
    assert not faults, '\n'.join(faults)


# of seed 1: sound of an avi that leaps by a year, images of two sizes, failures of an index that are no dict,
# a track id that is NaN or infinite, an archive of fewer parts than it counts, chunks of no length, no sound
@pytest.mark.parametrize(
    'number', [6931, 10131, 18838, 85598, 26393, 42193, 25735, 26655, 28043, 30923, 63761]
)
def test_inputs_that_were_misread_once(number, tmp_path):
    init_default_scope('mmdet')
    outcome = run(number, 1, {}, tmp_path)
    assert outcome.kind == NAMED, outcome
