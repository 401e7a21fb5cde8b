"""Environments in actor processes: the same numbers as in one, and what happens when an actor is lost."""

import os
import signal

import pytest
import torch

from clairvoy.environments.by_name import EnvironmentOptions, environment_by_name
from clairvoy.environments.from_gymnasium import FromGymnasium
from clairvoy.errors import InputError, SettingsError


def poles(actor_processes: bool) -> FromGymnasium:
    options = EnvironmentOptions(max_episode_steps=7, actor_processes=actor_processes)
    return FromGymnasium(environment_by_name("gymnasium:CartPole-v1", 2, options))


def played(environment: FromGymnasium, steps: int) -> list[torch.Tensor]:
    """All that is shown in so many steps; episodes end on the way."""
    shown = [environment.reset(torch.Generator().manual_seed(5))["observation"]]
    actions = torch.randint(2, (steps, 2), generator=torch.Generator().manual_seed(6))
    for taken in actions:
        step = environment.step(taken)
        shown += [step.observation["observation"], step.final_observation["observation"]]
        shown += [step.reward, step.terminated, step.truncated]
    return shown


def test_actors_are_processes_show_the_same_numbers_and_outlast_ctrl_c():
    alone, actors = poles(False), poles(True)
    try:
        processes = [process.pid for process in actors.vector_env.processes]
        assert len({os.getpid(), *processes}) == 3
        expected = played(alone, 20)
        assert sum(bool(each.any()) for each in expected[5::5]) > 1  # truncated twice at least
        torch.testing.assert_close(played(actors, 20), expected, rtol=0, atol=0)
        for process in processes:
            os.kill(process, signal.SIGINT)
        torch.testing.assert_close(played(actors, 20), expected, rtol=0, atol=0)
        os.kill(processes[0], signal.SIGKILL)
        actors.vector_env.processes[0].join()
        with pytest.raises(InputError, match="a process of the environment CartPole-v1 had ended in step"):
            actors.step(torch.zeros(2, dtype=torch.int64))
    finally:
        actors.vector_env.close(terminate=True)
    assert not any(process.is_alive() for process in actors.vector_env.processes)


def test_what_cannot_be_made_is_said_as_in_one_process():
    with pytest.raises(SettingsError, match="cannot be made"):
        environment_by_name("CartPole-v1", 2, EnvironmentOptions({"wings": 2}, actor_processes=True))


def test_games_that_step_together_refuse_actors():
    with pytest.raises(SettingsError, match="actor_processes do not apply to 'MiniCAGE/B_line'"):
        environment_by_name("MiniCAGE/B_line", 2, EnvironmentOptions(actor_processes=True))
