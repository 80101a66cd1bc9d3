import sys

import pytest

from mmav.simulation.command_line import make_simulator_parser, run_simulator


def simulate_with(monkeypatch, error=None, workers=True, options=('--width', '2', '3')):
    """What the command line makes of its options."""
    calls = []

    def simulate(out, config, **settings):
        if error is not None:
            raise error
        calls.append((str(out), config, settings))

    parser = make_simulator_parser('About.', ('default', 'tiny'), workers)
    parser.add_argument('--width', type=int, nargs=2)
    parser.add_argument('--depth', type=int)
    monkeypatch.setattr(sys, 'argv', ['simulate.py', 'out', *options])
    run_simulator(parser, lambda preset, **values: (preset, values), simulate, 'simulate')
    return calls


def test_options_that_are_given_replace_those_of_the_preset(monkeypatch):
    options = ('--width', '2', '3', '--workers', '4', '--quiet', '--preset', 'tiny', '--seed', '1')
    ((out, config, settings),) = simulate_with(monkeypatch, options=options)
    assert (out, config) == ('out', ('tiny', dict(width=(2, 3), seed=1)))
    assert settings == dict(progress=False, workers=4)


def test_simulators_of_one_process(monkeypatch):
    assert simulate_with(monkeypatch, workers=False, options=()) == [
        ('out', ('default', {}), dict(progress=True))
    ]


@pytest.mark.parametrize(
    'error, message',
    [
        (ValueError('bad width'), 'simulate: bad width'),
        (FileExistsError('there'), 'simulate: there'),
        (KeyboardInterrupt(), 'simulate: interrupted; the same command goes on where it stopped'),
    ],
)
def test_what_cannot_be_is_told(monkeypatch, error, message):
    with pytest.raises(SystemExit) as stopped:
        simulate_with(monkeypatch, error)
    assert str(stopped.value) == message


def test_other_errors_keep_their_trace(monkeypatch):
    with pytest.raises(RuntimeError):
        simulate_with(monkeypatch, RuntimeError())
