"""Small trained worlds that several files look at, and none trains further."""

import pytest
from corridor import Corridor
from test_world import Frames, Planes, trained, world

KINDS = {"numbers": Corridor, "bits": Planes, "frames": Frames}


@pytest.fixture(scope="session")
def learnt_worlds():
    """From the name of a kind to a trained scenario and its kind of environment, each trained when first asked for."""
    made = {}

    def of(name):
        if name not in made:
            made[name] = trained(world(KINDS[name](4))), KINDS[name]
        return made[name]

    return of
