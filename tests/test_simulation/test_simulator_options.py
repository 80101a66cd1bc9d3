import sys
from dataclasses import dataclass, field

import pytest

from mmav.simulation.command_line import make_simulator_parser, run_simulator
from mmav.simulation.presets import SimulatorConfig


@dataclass(frozen=True)
class Config(SimulatorConfig):
    """Parameters.

    Args:
        preset: Its name.
        seed: Of everything.
        width: Range of widths, 5 %
            apart.
        names: Some names.
        closed: Whether it is closed.
        weights: Cannot be said on the command line.
    """

    preset: str = 'default'
    seed: int = 0
    width: tuple[float, float] = (0.0, 1.0)
    names: tuple[str, ...] = ('a',)
    closed: bool = False
    weights: dict = field(default_factory=dict)


PRESETS = dict(default=Config(), tiny=Config(preset='tiny', seed=7))


def simulate_with(monkeypatch, error=None, workers=True, options=('--width', '2', '3')):
    """What the command line makes of its options."""
    calls = []

    def simulate(out, config, **settings):
        if error is not None:
            raise error
        calls.append((str(out), config, settings))

    parser = make_simulator_parser('About.', PRESETS, workers, dict(names=['--called']))
    monkeypatch.setattr(sys, 'argv', ['simulate.py', 'out', *options])
    run_simulator(parser, PRESETS, simulate)
    return calls


def test_options_that_are_given_replace_those_of_the_preset(monkeypatch):
    options = ('--width', '-2', '3.5', '--workers', '4', '--quiet', '--preset', 'tiny', '--closed')
    ((out, config, settings),) = simulate_with(monkeypatch, options=(*options, '--called', 'b', 'c'))
    assert (out, config) == ('out', Config('tiny', 7, (-2, 3.5), ('b', 'c'), True))
    assert settings == dict(progress=False, workers=4)


def test_simulators_of_one_process(monkeypatch):
    assert simulate_with(monkeypatch, workers=False, options=()) == [('out', Config(), dict(progress=True))]


def test_help_is_the_docstring():
    text = ' '.join(make_simulator_parser('About.', PRESETS).format_help().split())
    assert '--width WIDTH WIDTH Range of widths, 5 % apart.' in text
    assert '--weights' not in text and text.count('--preset') == 2


@pytest.mark.parametrize(
    'error, message',
    [
        (ValueError('bad width'), 'simulate: bad width (--debug shows the traceback)'),
        (FileExistsError('there'), 'simulate: there (--debug shows the traceback)'),
        (KeyboardInterrupt(), 'simulate: interrupted; the same command goes on where it stopped'),
    ],
)
def test_what_cannot_be_is_told(monkeypatch, error, message):
    with pytest.raises(SystemExit) as stopped:
        simulate_with(monkeypatch, error)
    assert str(stopped.value) == message and stopped.value.code == 2


def test_other_errors_keep_their_trace(monkeypatch):
    with pytest.raises(RuntimeError):
        simulate_with(monkeypatch, RuntimeError())


def test_the_trace_is_shown_when_asked_for(monkeypatch):
    with pytest.raises(ValueError):
        simulate_with(monkeypatch, ValueError('bad width'), options=('--debug',))
