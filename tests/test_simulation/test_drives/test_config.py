import inspect
import json

import pytest

from mmav.simulation import PRESETS, SimulationConfig, make_config


def test_presets_are_named_and_plain():
    for name, preset in PRESETS.items():
        assert preset.preset == name
        json.dumps(preset.to_dict())


def test_docstring_names_every_field():
    described = inspect.getdoc(SimulationConfig)
    for name in SimulationConfig.__dataclass_fields__:
        assert f'\n    {name}: ' in described


@pytest.mark.parametrize(
    ('name', 'value'),
    [
        ('microphones', 'figure8'), ('margin', 0.4), ('vehicles', (0, 2)), ('vehicles', (1, 7)),
        ('drives', (0, 0, 0)), ('modalities', ('rgb', 'sonar')), ('ground_reflection', 1.5),
        ('audio_layout', 'mono'), ('snr', (5.0, 1.0)),
        ('distance', (0.5, 9.0)), ('condition_weights', {'rain': 1.0}),
    ],
)  # fmt: skip
def test_values_out_of_range_are_named(name, value):
    with pytest.raises(ValueError, match=name):
        make_config('demo', **{name: value})


def test_unknown_names_are_refused():
    with pytest.raises(ValueError, match='tiny'):
        make_config('tiny')
    with pytest.raises(ValueError, match='color'):
        make_config('demo', color='red')
