"""Simulate clips of things that sound in the published layout of VGG-Sound and VGG-SS.

    python tools/dataset_converters/simulate_clips.py data/clips --clips 1000 100 200 400 --workers 2

An interrupted run carries on when called again. See docs/data.md.
"""

import os

# One thread a process: the pool already fills the processor. Set before numpy is imported.
for _name in ('OMP_NUM_THREADS', 'OPENBLAS_NUM_THREADS', 'MKL_NUM_THREADS'):
    os.environ[_name] = '1'

from mmav.simulation.clips.clips import CLIP_PRESETS  # noqa: E402
from mmav.simulation.clips.clips_dataset import simulate_clips  # noqa: E402
from mmav.simulation.command_line import make_simulator_parser, run_simulator  # noqa: E402


def main() -> None:
    """Simulate what the command line asks for."""
    parser = make_simulator_parser(__doc__, CLIP_PRESETS)
    run_simulator(parser, CLIP_PRESETS, simulate_clips)


if __name__ == '__main__':
    main()
