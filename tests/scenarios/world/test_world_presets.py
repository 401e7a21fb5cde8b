"""Presets of worlds: what they are by kind, and that their histories fit into memory whatever is shown."""

import pytest
import torch

from clairvoy.cotraining.loop import Feedback
from clairvoy.qlearning.environment import ObservationSpec
from clairvoy.qlearning.mixed_history import ENDS
from clairvoy.scenarios.world.presets import MEMORY, preset
from clairvoy.scenarios.world.scenario import CALIBRATED_ON


class Shows:
    """As much of an environment as a preset looks at."""

    num_envs = 8

    def __init__(self, shape, dtype):
        self.observation_specs = {"seen": ObservationSpec(shape, dtype, 0.0, 1.0)}


def bytes_kept(shape, dtype):
    world, _ = preset(Shows(shape, dtype), 100_000)
    kept = 2 * world.capacity + world.rollouts * world.horizon * world.fresh + CALIBRATED_ON + ENDS
    return kept * 2 * torch.zeros(shape, dtype=dtype).nbytes, world


@pytest.mark.parametrize(
    ("shape", "dtype", "capacity", "fresh"),
    [
        ((4,), torch.float32, 100_000, 5),
        ((500,), torch.float32, 100_000, 5),
        ((10, 10, 10), torch.bool, 100_000, 20),
        ((4, 42, 42), torch.uint8, 61_681, 20),  # Atari, as shown here
        ((4, 84, 84), torch.uint8, 11_991, 11),
        ((12, 128, 128), torch.uint8, 1000, 1),
    ],
)
def test_histories_stay_within_memory(shape, dtype, capacity, fresh):
    kept, world = bytes_kept(shape, dtype)
    assert (world.capacity, world.fresh) == (capacity, fresh)
    if capacity > 1000:  # fewer would be no history at all
        assert kept <= MEMORY
    if 1000 < capacity < 100_000:
        assert kept > 0.99 * MEMORY  # nothing is left lying


def test_steps_become_rounds_and_paths_are_switched_off():
    world, rhythm = preset(
        Shows((4,), torch.float32), 1001, seed=3, feedback=Feedback(generated_scenes=False)
    )
    assert rhythm.budget == 126  # of eight environments: 1008 steps
    assert (world.per_real, world.seed, rhythm.seed) == (0.0, 3, 3)
    assert not rhythm.feedback.generated_scenes
    assert preset(Shows((4,), torch.float32), 1001)[0].per_real > 0
