"""Scenes that the simulator's tests share."""

import pytest

from mmav.simulation import DriveScene, Road, Vehicle


@pytest.fixture
def make_vehicle():
    """Function that makes a car ahead, with any field replaced."""

    def build(**fields) -> Vehicle:
        values = dict(
            track_id=0,
            kind='car',
            size=(1.8, 4.3, 1.5),
            position=(2.0, 10.0),
            heading=0.0,
            speed=0.0,
            level=92.0,
        )
        return Vehicle(**{**values, **fields})

    return build


@pytest.fixture
def make_scene(make_vehicle):
    """Function that makes a quiet static drive of 1.4 s, with any field replaced."""

    def build(**fields) -> DriveScene:
        values = dict(
            name='train_0000',
            split='train',
            condition='day',
            ego_speed=0.0,
            duration=1.4,
            frame_times=(0.6, 0.8),
            road=Road((-7.0, 0.0), 0.0, 4, 3.5, 2),
            vehicles=(make_vehicle(),),
        )
        return DriveScene(**{**values, **fields})

    return build
