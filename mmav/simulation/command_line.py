"""The command line that simulators share; imported after the number of threads is set."""

import argparse
import inspect
import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

from mmav.utils.command_line import ToolParser
from mmav.utils.errors import one_line_errors

from .presets import SimulatorConfig, config_of


def make_simulator_parser(
    description: str,
    presets: Mapping[str, SimulatorConfig],
    workers: bool = True,
    aliases: Mapping[str, Sequence[str]] | None = None,
) -> ToolParser:
    """A parser with an option for each number, text or tuple of a simulator's configuration.

    Options that are not given do not come out of it. The help is what the configuration's docstring says.

    Args:
        description: The tool's documentation.
        presets: Configurations by name, 'default' among them.
        workers: Whether the simulator works in several processes.
        aliases: Other names of options, by the parameter.
    """
    parser = ToolParser(description, argument_default=argparse.SUPPRESS)
    parser.add_output('out', help='folder of the data set; an interrupted run into it is continued')
    parser.add_argument(
        '--preset', choices=sorted(presets), default='default', help='where other options start from'
    )
    if workers:
        parser.add_argument(
            '--workers', type=int, default=os.cpu_count(), help='number of processes; default: %(default)s'
        )
    parser.add_argument('--quiet', action='store_true', default=False, help='no progress bar')
    default = presets['default']
    texts = dict(re.findall(r'^    (\w+): (.*(?:\n {8}.*)*)', inspect.getdoc(default) or '', re.MULTILINE))
    for name in (field.name for field in fields(default) if field.name != 'preset'):
        value = getattr(default, name)
        text = ' '.join(texts.get(name, '').split()).replace('%', '%%')
        options: dict[str, Any] = dict(dest=name, help=text)
        if isinstance(value, bool):
            options['action'] = argparse.BooleanOptionalAction
        elif isinstance(value, tuple):
            options.update(type=type(value[0]), nargs='+' if isinstance(value[0], str) else len(value))
        elif isinstance(value, int | float | str):
            options['type'] = type(value)
        else:
            continue
        parser.add_argument(f'--{name.replace("_", "-")}', *(aliases or {}).get(name, ()), **options)
    return parser


def run_simulator(
    parser: argparse.ArgumentParser,
    presets: Mapping[str, SimulatorConfig],
    simulate: Callable,
    errors: tuple[type[Exception], ...] = (ValueError, OSError),
) -> None:
    """Simulate what the command line asks for; SystemExit if it cannot be, or was interrupted.

    Args:
        parser: Of :func:`make_simulator_parser`.
        presets: Those that it was made of.
        simulate: Takes the folder and the configuration, ``progress`` and, where asked for, ``workers``.
        errors: What ends it with a message alone. Defaults to ValueError and OSError.
    """
    with one_line_errors(errors, resumable=True):
        options = vars(parser.parse_args())
        out, preset = Path(options.pop('out')), options.pop('preset')
        settings = dict(progress=not options.pop('quiet'))
        if 'workers' in options:
            settings['workers'] = options.pop('workers')
        values = {key: tuple(value) if isinstance(value, list) else value for key, value in options.items()}
        simulate(out, config_of(presets, preset, values), **settings)
