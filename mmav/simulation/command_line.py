"""The command line that simulators share; imported after the number of threads is set."""

import argparse
import os
from collections.abc import Callable, Iterable
from pathlib import Path


def make_simulator_parser(
    description: str, presets: Iterable[str], workers: bool = True
) -> argparse.ArgumentParser:
    """A parser with the options of every simulator; those that are not given do not come out of it.

    Others are to be added by the names of the configuration's values. ``workers``: it works in processes.
    """
    parser = argparse.ArgumentParser(
        description=description,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        argument_default=argparse.SUPPRESS,
    )
    parser.add_argument('out', help='folder of the data set; an interrupted run into it is continued')
    parser.add_argument(
        '--preset', choices=sorted(presets), default='default', help='where other options start from'
    )
    if workers:
        parser.add_argument(
            '--workers', type=int, default=os.cpu_count(), help='number of processes; default: %(default)s'
        )
    parser.add_argument('--seed', type=int, help='seed of everything')
    parser.add_argument('--quiet', action='store_true', default=False, help='no progress bar')
    return parser


def run_simulator(
    parser: argparse.ArgumentParser,
    make_config: Callable,
    simulate: Callable,
    name: str,
    errors: tuple[type[Exception], ...] = (ValueError, FileExistsError),
) -> None:
    """Simulate what the command line asks for; SystemExit if it cannot be, or was interrupted.

    Args:
        parser: Of :func:`make_simulator_parser`.
        make_config: Gives the configuration of a preset and values that replace its own.
        simulate: Takes the folder and the configuration, ``progress`` and, where asked for, ``workers``.
        name: The tool's, for messages.
        errors: What ends it with a message alone. Defaults to ValueError and FileExistsError.
    """
    options = vars(parser.parse_args())
    out, preset = Path(options.pop('out')), options.pop('preset')
    settings = dict(progress=not options.pop('quiet'))
    if 'workers' in options:
        settings['workers'] = options.pop('workers')
    values = {key: tuple(value) if isinstance(value, list) else value for key, value in options.items()}
    try:
        simulate(out, make_config(preset, **values), **settings)
    except errors as error:
        raise SystemExit(f'{name}: {error}') from error
    except KeyboardInterrupt:
        raise SystemExit(f'{name}: interrupted; the same command goes on where it stopped') from None
