"""Where to go next on a grid of any size: a fixed number of hints, whatever the number of windows.

The part of the memory that the agent sees around itself is 9 x 9 windows; a scene may have 64 x 64. So the rest of it is
given in two ways, both independent of the size of the grid:

- *goals*: the nearest unread window of a kind (haze expected there; next to recognised haze; far from all that was
  read), how far it is and which moves lead nearer;
- *pulls*: what lies in each direction altogether, counted less the further away it is.

What is expected of unread windows is interpolated: a thumbnail's word, or a constant where there is none, corrected by
what windows read nearby showed (Nadaraya 1964, with a kernel that falls off exponentially).
"""

from __future__ import annotations

from typing import Any, TypeAlias

from array_api_compat import array_namespace, device

Array: TypeAlias = Any
"""A NumPy array or a torch tensor: what goes in comes out."""

EXPECTED_FROM = (0.1, 0.2, 0.35, 0.5)
"""Levels of expected haze, each a kind of goal."""
SPREAD_OF_COVER = (16, 8, 4)
"""Parts of the grid's side: goals at least side/16, side/8 and side/4 moves from every window that was read."""
GOALS = len(EXPECTED_FROM) + len(SPREAD_OF_COVER) + 3
GOAL_NUMBERS = 7
"""There is one; its nearness on two scales; do the moves right, left, up, down lead nearer."""
REACHES = (0.5, 0.8, 0.95)
"""What a window one move further away counts, for each kind of pull."""
PULLS = 3
GUIDES = GOALS * GOAL_NUMBERS + PULLS * len(REACHES) * 4
"""How many hints."""

NEAR = (3, 16)
"""Moves after which the nearness of a goal has fallen to 1/e, on either scale."""
FAR = 1 << 14
"""Moves to a goal that is not there."""
CLOSED = 3
"""A window all of whose neighbours are settled is worth this many moves of a detour: else it is left behind alone."""


def guides(visited: Array, recognised: Array, expected: Array, distance: Array, position: Array) -> Array:
    """Hints for N searches, ``(N, GUIDES)`` float32 in [0, 1].

    Parameters
    ----------
    visited, recognised
        ``(N, R, C)`` bool.
    expected
        Haze expected of each window, ``(N, R, C)`` in [0, 1].
    distance
        Moves from each window to the nearest one that was read, ``(N, R, C)`` integers.
    position
        Row and column, ``(N, 2)`` int64.
    """
    xp, count = array_namespace(position), position.shape[0]
    down, across = _ways(visited, position)
    goals = _goals(visited, recognised, expected, distance, down, across)
    pulls = _pulls(visited, expected, down, across)
    return xp.concat((xp.reshape(goals, (count, -1)), xp.reshape(pulls, (count, -1))), axis=1)


def onwards(visited: Array, expected: Array, position: Array) -> Array:
    """Which moves lead nearer to the nearest unread window, before others one that is expected hazy, ``(N, 4)`` bool.

    Right, left, up, down; none where all is read.
    """
    xp, count = array_namespace(position), position.shape[0]
    down, across = _ways(visited, position)
    cost = xp.abs(down)[:, :, None] + xp.abs(across)[:, None, :]
    cost = cost + xp.astype(expected < EXPECTED_FROM[1], xp.int64) * (FAR // 2)
    cost = xp.reshape(xp.where(visited, FAR, cost), (count, -1))
    nearest, place = xp.min(cost, axis=1), xp.argmin(cost, axis=1)
    to_down, to_across = _towards(down, across, place[:, None], visited.shape[2])
    return _moves(to_down, to_across)[:, 0] & (nearest < FAR)[:, None]


def _ways(visited: Array, position: Array) -> tuple[Array, Array]:
    """How far each row lies below the position, ``(N, R)``, and each column to its right, ``(N, C)``."""
    xp, where = array_namespace(position), device(position)
    rows, cols = visited.shape[1:]
    return xp.arange(rows, device=where) - position[:, :1], xp.arange(cols, device=where) - position[:, 1:]


def _towards(down: Array, across: Array, place: Array, cols: int) -> tuple[Array, Array]:
    """How far windows numbered by `place`, ``(N, K)``, lie below and to the right, ``(N, K)`` each."""
    xp = array_namespace(down)
    scene = xp.arange(down.shape[0], device=device(down))[:, None]
    return down[scene, place // cols], across[scene, place % cols]


def _moves(to_down: Array, to_across: Array) -> Array:
    """Which of right, left, up, down lead nearer, ``(N, K, 4)`` bool."""
    xp = array_namespace(to_down)
    return xp.stack((to_across > 0, to_across < 0, to_down < 0, to_down > 0), axis=2)


def _goals(
    visited: Array, recognised: Array, expected: Array, distance: Array, down: Array, across: Array
) -> Array:
    """Numbers ``(N, GOALS, GOAL_NUMBERS)`` about the nearest window of each kind."""
    xp = array_namespace(visited)
    count, _, cols = visited.shape
    unread = ~visited
    side = max(visited.shape[1:])
    kinds = [unread & (expected >= level) for level in EXPECTED_FROM]
    hazy = kinds[1]
    kinds += [unread & (distance >= max(2, side // part)) for part in SPREAD_OF_COVER]
    kinds += [unread, unread & beside_recognised(recognised)]
    moves = xp.abs(down)[:, :, None] + xp.abs(across)[:, None, :]
    cost = xp.where(xp.stack(kinds, axis=1), moves[:, None], FAR)
    # The same as the nearest hazy one, but one that would be left behind alone is taken before.
    settled = _framed(visited | (expected < EXPECTED_FROM[1]), 1)
    around = 4 - (settled[:, :-2, 1:-1] + settled[:, 2:, 1:-1] + settled[:, 1:-1, :-2] + settled[:, 1:-1, 2:])
    detour = xp.where(hazy, 4 * moves + CLOSED * around, FAR)
    cost = xp.reshape(xp.concat((cost, detour[:, None]), axis=1), (count, GOALS, -1))
    nearest, place = xp.min(cost, axis=2), xp.argmin(cost, axis=2)
    to_down, to_across = _towards(down, across, place, cols)
    far = xp.astype(xp.abs(to_down) + xp.abs(to_across), xp.float32)
    near = xp.stack((xp.ones_like(far), xp.exp(-far / NEAR[0]), xp.exp(-far / NEAR[1])), axis=2)
    numbers = xp.concat((near, xp.astype(_moves(to_down, to_across), xp.float32)), axis=2)
    return numbers * xp.astype(nearest < FAR, xp.float32)[..., None]


def beside_recognised(recognised: Array) -> Array:
    """Windows with a recognised one above, below, left or right, ``(N, R, C)`` bool."""
    framed = _framed(recognised, 0)
    return (framed[:, :-2, 1:-1] + framed[:, 2:, 1:-1] + framed[:, 1:-1, :-2] + framed[:, 1:-1, 2:]) > 0


def _framed(maps: Array, value: int) -> Array:
    """Maps ``(N, R, C)`` bool as 0 and 1 with a frame of `value` around them, ``(N, R + 2, C + 2)`` int64."""
    xp = array_namespace(maps)
    count, rows, cols = maps.shape
    framed = xp.full((count, rows + 2, cols + 2), value, dtype=xp.int64, device=device(maps))
    framed[:, 1:-1, 1:-1] = xp.astype(maps, xp.int64)
    return framed


def _pulls(visited: Array, expected: Array, down: Array, across: Array) -> Array:
    """Unread windows, their expected haze, and those expected hazy: in each direction, ``(N, reaches, PULLS, 4)``."""
    xp = array_namespace(visited)
    count, rows, cols = visited.shape
    unread = xp.astype(~visited, xp.float32)
    hazy = xp.astype(expected >= EXPECTED_FROM[1], xp.float32)
    maps = xp.stack((unread, unread * expected, unread * hazy), axis=1)
    reach = xp.asarray(REACHES, dtype=xp.float32, device=device(visited))[None, :, None]
    # (N, reaches, R or C)
    tall = reach ** xp.astype(xp.abs(down), xp.float32)[:, None]
    wide = reach ** xp.astype(xp.abs(across), xp.float32)[:, None]
    rows_first = xp.reshape(xp.permute_dims(maps, (0, 2, 1, 3)), (count, rows, -1))
    columns_first = xp.reshape(xp.permute_dims(maps, (0, 3, 1, 2)), (count, cols, -1))
    by_column = xp.reshape(tall @ rows_first, (count, -1, PULLS, cols))
    by_row = xp.reshape(wide @ columns_first, (count, -1, PULLS, rows))

    def beyond(weight: Array, way: Array) -> Array:
        return (weight * xp.astype(way, xp.float32)[:, None])[:, :, None]

    pulls = xp.stack(
        (
            xp.sum(by_column * beyond(wide, across > 0), axis=3),
            xp.sum(by_column * beyond(wide, across < 0), axis=3),
            xp.sum(by_row * beyond(tall, down < 0), axis=3),
            xp.sum(by_row * beyond(tall, down > 0), axis=3),
        ),
        axis=3,
    )
    # The most that an endless grid could pull with is 1.
    most = (1 - reach) ** 2 / (reach * (1 + reach))
    return pulls * most[..., None]
