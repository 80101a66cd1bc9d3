"""Mutated files of every format end in an error that names them, or in the right value.

``MMAV_FUZZ_INPUTS`` and ``MMAV_FUZZ_SEED`` say how many and which; see ``fuzz.py``, which `make fuzz` runs.
"""

import os

from fuzz import FAULT, describe, fuzz


def test_mutated_files_are_named_or_right():
    inputs, seed = (
        int(os.environ.get(f'MMAV_FUZZ_{name}', value)) for name, value in (('INPUTS', 2000), ('SEED', 0))
    )
    outcomes = fuzz(inputs, seed)
    assert [outcome.number for outcome in outcomes] == list(range(inputs))
    faults = [describe(outcome, seed) for outcome in outcomes if outcome.kind == FAULT]
    assert not faults, '\n'.join(faults)
