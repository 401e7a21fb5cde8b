"""n-step transitions against a loop that follows every environment on its own."""

import pytest
import torch

from clairvoy.errors import SettingsError
from clairvoy.qlearning.environment import Step
from clairvoy.qlearning.n_step import NStep, n_step_return


def record(steps, envs, seed):
    """Random steps in which episodes end often, in both ways; every observation is another number."""
    generator = torch.Generator().manual_seed(seed)
    observation = torch.arange((steps + 1) * envs).view(steps + 1, envs)
    final = -1 - torch.arange(steps * envs).view(steps, envs)
    reward = torch.rand(steps, envs, generator=generator)
    end = torch.rand(steps, envs, generator=generator)
    terminated, truncated = end < 0.15, (end >= 0.15) & (end < 0.3)
    done = terminated | truncated
    return {
        "observation": observation[:-1],
        "next": torch.where(done, final, observation[1:]),
        "action": torch.randint(4, (steps, envs), generator=generator),
        "reward": reward,
        "terminated": terminated,
        "truncated": truncated,
        "provenance": torch.randint(2, (steps, envs), generator=generator, dtype=torch.uint8),
        "tau": torch.rand(steps, envs, generator=generator),
        "mask": torch.rand(steps, envs, 4, generator=generator) < 0.5,
    }


def naive(run, n, gamma):
    """All transitions that a run completes, one scalar at a time, as {first observation: rest}."""
    found = {}
    steps, envs = run["reward"].shape
    for env in range(envs):
        for start in range(steps):
            total, last = 0.0, None
            for k in range(n):
                t = start + k
                if t >= steps:
                    break
                total += gamma**k * float(run["reward"][t, env])
                if run["terminated"][t, env] or run["truncated"][t, env] or k == n - 1:
                    last = t
                    break
            if last is None:
                continue
            span = slice(start, last + 1)
            found[int(run["observation"][start, env])] = (
                int(run["action"][start, env]),
                total,
                0.0 if run["terminated"][last, env] else gamma ** (last + 1 - start),
                int(run["next"][last, env]),
                *run["mask"][last, env].tolist(),
                int(run["provenance"][span, env].max()),
                float(run["tau"][span, env].min()),
            )
    return found


def feed(accumulator, run, t):
    return accumulator.append(
        {"o": run["observation"][t]},
        run["action"][t],
        Step(
            {},
            run["reward"][t],
            run["terminated"][t],
            run["truncated"][t],
            {"o": run["next"][t]},
            run["mask"][t],
            {"provenance": run["provenance"][t], "tau": run["tau"][t]},
        ),
    )


def collected(batches):
    found = {}
    for batch in batches:
        for i in range(len(batch)):
            first = int(batch.observation["o"][i])
            assert first not in found, "a step was released twice"
            found[first] = (
                int(batch.action[i]),
                float(batch.reward[i]),
                float(batch.discount[i]),
                int(batch.next_observation["o"][i]),
                *batch.next_mask[i].tolist(),
                int(batch.provenance[i]),
                float(batch.tau[i]),
            )
    return found


@pytest.mark.parametrize(("n", "gamma"), [(1, 0.9), (2, 0.5), (3, 0.99), (5, 1.0), (3, 0.0)])
def test_releases_what_a_loop_over_single_environments_finds(n, gamma):
    run = record(steps=40, envs=7, seed=n)
    accumulator = NStep(n, gamma, num_envs=7)
    got = collected(feed(accumulator, run, t) for t in range(40))
    want = naive(run, n, gamma)
    assert got.keys() == want.keys()
    for key, value in want.items():
        assert got[key] == pytest.approx(value, rel=1e-5, abs=1e-6)


def test_termination_ends_the_value_and_truncation_keeps_it():
    def last_discount(terminated, truncated):
        accumulator = NStep(3, 0.5, num_envs=1)
        flags = [(False, False), (terminated, truncated)]
        for t, (end, cut) in enumerate(flags):
            batch = accumulator.append(
                {"o": torch.tensor([t])},
                torch.zeros(1, dtype=torch.int64),
                Step(
                    {},
                    torch.ones(1),
                    torch.tensor([end]),
                    torch.tensor([cut]),
                    {"o": torch.tensor([t + 1])},
                    torch.ones(1, 2, dtype=torch.bool),
                ),
            )
        return batch

    over, cut = last_discount(True, False), last_discount(False, True)
    assert over.reward.tolist() == cut.reward.tolist() == [1.5, 1.0]
    assert over.discount.tolist() == [0.0, 0.0]
    assert cut.discount.tolist() == [0.25, 0.5]
    assert cut.next_observation["o"].tolist() == [2, 2]


def test_return_is_the_closed_form_of_a_geometric_series():
    gamma, n = 0.9, 6
    got = n_step_return(torch.ones(n, 2, dtype=torch.float64), gamma)
    want = torch.tensor([(1 - gamma**k) / (1 - gamma) for k in range(n, 0, -1)], dtype=torch.float64)
    torch.testing.assert_close(got, want[:, None].expand(n, 2))


def test_dropping_unfinished_steps_forgets_exactly_those():
    run = record(steps=20, envs=3, seed=9)
    for name in ("terminated", "truncated"):
        run[name].zero_()
    accumulator = NStep(3, 0.9, num_envs=3)
    before = collected(feed(accumulator, run, t) for t in range(10))
    accumulator.drop_unfinished()
    after = collected(feed(accumulator, run, t) for t in range(10, 20))
    rewarded = {int(o) for o in run["observation"][:8].flatten()}
    assert before.keys() == rewarded
    assert after.keys() == {int(o) for o in run["observation"][10:18].flatten()}


def test_state_restores_a_run_in_the_middle_of_episodes():
    run = record(steps=20, envs=4, seed=3)
    whole, first = NStep(3, 0.9, 4), NStep(3, 0.9, 4)
    for t in range(10):
        feed(whole, run, t)
        feed(first, run, t)
    resumed = NStep(3, 0.9, 4)
    resumed.load_state_dict(first.state_dict())
    for t in range(10, 20):
        assert collected([feed(whole, run, t)]) == collected([feed(resumed, run, t)])


@pytest.mark.parametrize("arguments", [(0, 0.9, 1), (1, 1.1, 1), (1, -0.1, 1), (1, 0.9, 0)])
def test_settings_out_of_range_are_named(arguments):
    with pytest.raises(SettingsError, match=r"n_step|gamma"):
        NStep(*arguments)


def test_a_step_that_tells_nothing_of_its_making_is_real_and_sure():
    flags = torch.zeros(3, dtype=torch.bool)
    told = {"provenance": torch.tensor([0, 1, 1]), "tau": torch.tensor([1.0, 0.5, 0.25], dtype=torch.float64)}
    plain, made = (Step({}, torch.zeros(3), flags, flags, {}, flags, info) for info in ({}, told))
    assert plain.provenance.tolist() == [0, 0, 0]
    assert plain.tau.tolist() == [1, 1, 1]
    assert made.provenance.tolist() == [0, 1, 1]
    assert made.tau.tolist() == [1, 0.5, 0.25]
    assert (made.provenance.dtype, made.tau.dtype) == (torch.uint8, torch.float32)
