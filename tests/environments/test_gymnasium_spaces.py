"""Gymnasium's spaces as named tensors, and its actions as numbers: values, layouts, and what is refused."""

import math

import numpy as np
import pytest
import torch
from corridor import Corridor
from gymnasium import spaces
from gymnasium.vector import SyncVectorEnv
from gymnasium.vector.utils import batch_space, concatenate, create_empty_array
from hypothesis import given
from hypothesis import strategies as st

from clairvoy.environments.from_gymnasium import FromGymnasium
from clairvoy.environments.gymnasium_actions import ActionCode
from clairvoy.environments.gymnasium_spaces import leaves, named, nest, space_of
from clairvoy.environments.picture_layout import channels_are_last
from clairvoy.environments.to_gymnasium import GymnasiumEnv, GymnasiumVectorEnv
from clairvoy.errors import InputError, SettingsError
from clairvoy.qlearning.environment import ObservationSpec

WHOLE = spaces.Dict(
    {
        "a/b": spaces.MultiDiscrete([3, 2], start=[1, 0]),
        "cards": spaces.Tuple([spaces.Discrete(4, start=4), spaces.Dict({"deep": spaces.MultiBinary(3)})]),
        "number": spaces.Box(-5, 5, (), np.float64),
        "map": spaces.Box(0, 3, (2, 4), np.int64),
    }
)
SHOWN = {
    "a/b": np.array([2, 1]),
    "cards": (5, {"deep": np.array([1, 0, 1], np.int8)}),
    "number": np.array(2.5),
    "map": np.arange(8).reshape(2, 4) % 4,
}


def test_every_kind_of_space_becomes_tensors_by_name():
    parts = leaves(WHOLE)
    got = {name: value.tolist() for name, value in named(SHOWN, parts).items()}
    assert got == {
        "a/b": [0, 1, 0, 0, 1],  # the second of three, one-hot, then the second of two
        "cards/0": [0, 1, 0, 0],
        "cards/1/deep": [1, 0, 1],
        "number": [2.5],
        "map": [[[0, 1, 2, 3], [0, 1, 2, 3]]],
    }
    for name, value in named(SHOWN, parts).items():
        assert (value.shape, value.dtype) == (parts[name].spec.shape, parts[name].spec.dtype)
    assert {name: (leaf.spec.low, leaf.spec.high) for name, leaf in parts.items()} == {
        "a/b": (0, 1), "cards/0": (0, 1), "cards/1/deep": (0, 1), "number": (-5, 5), "map": (0, 3)
    }  # fmt: skip


@given(seed=st.integers(0, 10**6), count=st.integers(1, 4))
def test_a_batch_is_its_rows(seed, count):
    parts = leaves(WHOLE)
    WHOLE.seed(seed)
    rows = [WHOLE.sample() for _ in range(count)]
    whole = concatenate(WHOLE, rows, create_empty_array(WHOLE, count))
    assert batch_space(WHOLE, count).contains(whole)
    together = named(whole, parts)
    for row, one in enumerate(rows):
        for name, value in named(one, parts).items():
            assert torch.equal(together[name][row], value), name


@pytest.mark.parametrize(
    ("shape", "last"),
    [
        ((84, 84, 3), True), ((7, 7, 3), True), ((210, 160, 3), True), ((10, 10, 4), True), ((10, 10, 7), True),
        ((84, 84, 1), True), ((4, 84, 84), False), ((3, 210, 160), False), ((6, 10, 10), False), ((12, 9, 9), False),
    ],
)  # fmt: skip
def test_the_channels_of_a_picture_are_told_by_its_shape(shape, last):
    assert channels_are_last(shape, "view") is last


@pytest.mark.parametrize("shape", [(10, 10, 10), (4, 4, 84), (16, 20, 8), (64, 4, 4)])
def test_where_nothing_tells_a_warning_says_what_was_taken(shape):
    with pytest.warns(UserWarning, match=r"view is \(.*taken for \(height, width, channels\)"):
        assert channels_are_last(shape, "view")


def test_a_picture_is_turned_and_its_range_is_that_of_the_space():
    space = spaces.Box(0, 10, (8, 8, 3), np.uint8)
    (leaf,) = leaves(space).values()
    assert (leaf.spec.shape, leaf.spec.dtype, leaf.spec.high) == ((3, 8, 8), torch.uint8, 10)
    picture = np.random.default_rng(0).integers(0, 11, (2, 8, 8, 3), np.uint8)
    assert torch.equal(leaf.tensor(picture), torch.from_numpy(picture.transpose(0, 3, 1, 2).copy()))
    # What the user says of an ambiguous one is taken at its word, without a warning.
    cube = spaces.Box(0, 1, (10, 10, 10), np.float32)
    assert not leaves(cube, "first")["observation"].channels_last
    assert leaves(cube, "last")["observation"].channels_last


@pytest.mark.parametrize(
    ("dtype", "want"),
    [(np.float64, torch.float32), (np.float16, torch.float32), (np.uint16, torch.int32), (np.int8, torch.int8),
     (np.uint32, torch.int64), (bool, torch.bool)],
)  # fmt: skip
def test_types_that_torch_does_not_compute_with_are_carried_by_others(dtype, want):
    (leaf,) = leaves(spaces.Box(0, 1, (3,), dtype)).values()
    value = leaf.tensor(np.array([0, 1, 1], dtype))
    assert (value.dtype, leaf.spec.dtype, value.tolist()) == (want, want, [0, 1, 1])


@pytest.mark.parametrize(
    ("space", "says"),
    [
        (spaces.Text(4), "observation is Text.*wrap it"),
        (spaces.Sequence(spaces.Discrete(2)), "observation is Sequence"),
        (spaces.Box(0, 1, (0,)), "holds no number"),
        (spaces.Dict({"a": spaces.Box(0, 1, (2, 0)), "b": spaces.Discrete(2)}), "a is Box.*holds no number"),
        (
            spaces.Dict({"a": spaces.Dict({"b": spaces.Discrete(2)}), "a/b": spaces.Discrete(2)}),
            "called 'a/b'",
        ),
        (spaces.Dict({}), "holds nothing"),
    ],
)
def test_what_cannot_be_told_as_numbers_is_refused(space, says):
    with pytest.raises(SettingsError, match=says):
        leaves(space)


def test_an_observation_of_another_shape_is_refused():
    with pytest.raises(InputError, match=r"the observation is \(2, 3\), not \(4,\)"):
        named(np.zeros((2, 3)), leaves(spaces.Box(0, 1, (4,))))


def test_nested_names_and_back():
    assert nest({"a/b": 1, "a/c/d": 2, "e": 3}) == {"a": {"b": 1, "c": {"d": 2}}, "e": 3}
    assert nest({"observation": 4}) == 4
    with pytest.raises(SettingsError, match="'a/b' lies within 'a'"):
        nest({"a": 1, "a/b": 2})


@pytest.mark.parametrize("dtype", [torch.bool, torch.uint8, torch.int64, torch.float32])
def test_bounds_that_nothing_tells_are_those_of_the_type(dtype):
    space = space_of({"part": ObservationSpec((2,), dtype, -torch.inf, torch.inf)})
    extremes = torch.tensor([0, 1]).to(dtype)
    assert space.contains({"part": extremes.numpy()})
    assert str(space["part"].dtype) == str(dtype).removeprefix("torch.")


@pytest.mark.parametrize(
    "space",
    [spaces.Discrete(5, start=-2), spaces.MultiDiscrete([2, 3, 4]), spaces.MultiDiscrete([3, 2], start=[5, -1]),
     spaces.MultiDiscrete([[2, 2], [3, 1]]), spaces.MultiBinary(4), spaces.MultiBinary((2, 2))],
)  # fmt: skip
def test_every_action_has_one_number(space):
    code = ActionCode(space)
    numbers = np.arange(code.count)
    actions = code.decode(numbers)
    assert all(space.contains(action) for action in actions)
    assert len({np.asarray(action).tobytes() for action in actions}) == code.count
    assert code.encode(actions).tolist() == numbers.tolist()
    assert (
        code.encode(actions.astype(np.uint8) if actions.min() >= 0 else actions).tolist() == numbers.tolist()
    )


def test_actions_that_have_no_number_are_refused():
    with pytest.raises(SettingsError, match="Discrete, MultiDiscrete or MultiBinary"):
        ActionCode(spaces.Box(0, 1, (2,)))
    with pytest.raises(SettingsError, match="1048576 combinations"):
        ActionCode(spaces.MultiBinary(20))
    with pytest.raises(InputError, match="lie outside"):
        ActionCode(spaces.MultiDiscrete([2, 3])).encode(np.array([[0, 3]]))


@pytest.mark.parametrize("shape", [(10, 10, 10), (8, 8, 3), (4, 6), ()])
def test_what_we_show_comes_back_in_our_shape(shape):
    """Also where its shape alone would be taken for another layout."""

    class Still(Corridor):
        def __init__(self, num_envs):
            super().__init__(num_envs)
            self.observation_specs = {"grid": ObservationSpec(shape, torch.uint8, 0.0, 255.0)}

        def _observation(self):
            return {
                "grid": torch.arange(self.num_envs * math.prod(shape)).reshape(-1, *shape).to(torch.uint8)
            }

    want = Still(2).reset(torch.Generator().manual_seed(0))["grid"]
    for back in (
        FromGymnasium(GymnasiumVectorEnv(Still(2))),
        FromGymnasium(SyncVectorEnv([lambda: GymnasiumEnv(Still(1))] * 2)),
    ):
        assert back.observation_specs["grid"].shape == shape
        assert torch.equal(back.reset(torch.Generator())["grid"][:1], want[:1])
