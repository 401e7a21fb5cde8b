"""From Q-values to actions. Pure functions over batches; a mask says which actions are allowed."""

from __future__ import annotations

import torch
from torch import Tensor

from clairvoy.errors import InputError, SettingsError


def greedy(q: Tensor, mask: Tensor | None = None) -> Tensor:
    """Choose the allowed action of highest Q-value, the first of equals.

    Parameters
    ----------
    q
        Q-values ``(N, A)``.
    mask
        Allowed actions ``(N, A)`` bool, at least one in every row; None allows all.

    Returns
    -------
    Tensor
        Actions ``(N,)`` int64.

    Raises
    ------
    InputError
        A row of the mask allows no action, or the shapes differ.
    """
    return _allowed(q, mask).argmax(dim=1)


def epsilon_greedy(
    q: Tensor, epsilon: float | Tensor, mask: Tensor | None, generator: torch.Generator
) -> Tensor:
    """With probability ``epsilon`` an allowed action drawn uniformly, otherwise the greedy one.

    Parameters
    ----------
    q
        Q-values ``(N, A)``.
    epsilon
        Probability in [0, 1], one for all rows or one for each, ``(N,)``.
    mask
        Allowed actions ``(N, A)`` bool; None allows all.
    generator
        Source of the randomness. It may live on another device than ``q``; the same number of values is drawn
        whatever the outcome, so that one row's choice does not shift another's.

    Returns
    -------
    Tensor
        Actions ``(N,)`` int64.
    """
    best = greedy(q, mask)
    draws = torch.rand(q.shape[0], 1 + q.shape[1], generator=generator, device=generator.device).to(q.device)
    # The largest of independent uniform keys is a uniform choice among those that take part.
    keys = draws[:, 1:] if mask is None else draws[:, 1:].masked_fill(~mask, -1.0)
    return torch.where(draws[:, 0] < epsilon, keys.argmax(dim=1), best)


def in_difficulty(q: Tensor, mask: Tensor | None, margin: float) -> Tensor:
    """Rows whose Q-values do not separate the actions: the best two allowed differ by less than ``margin``.

    Parameters
    ----------
    q
        Q-values ``(N, A)``.
    mask
        Allowed actions ``(N, A)`` bool; None allows all.
    margin
        Gap in units of return. At 0 no row is in difficulty.

    Returns
    -------
    Tensor
        ``(N,)`` bool. A row with a single allowed action has no choice and no difficulty.
    """
    best, second = _allowed(q, mask).topk(2, dim=1).values.unbind(dim=1)
    return best - second < margin


def look_ahead(q: Tensor, tau_of_action: Tensor, mask: Tensor | None, margin: float) -> tuple[Tensor, Tensor]:
    """Greedy actions, except in difficulty: there the action whose generated outcome is trusted most.

    Parameters
    ----------
    q
        Q-values ``(N, A)``.
    tau_of_action
        Confidence in the generated outcome of each action, in [0, 1], ``(N, A)``.
    mask
        Allowed actions ``(N, A)`` bool; None allows all.
    margin
        See `in_difficulty`.

    Returns
    -------
    action : Tensor
        ``(N,)`` int64.
    acted : Tensor
        ``(N,)`` bool, True where the confidence chose.
    """
    if tau_of_action.shape != q.shape:
        raise InputError(
            f"tau_of_action has shape {tuple(tau_of_action.shape)}; it needs that of q, {tuple(q.shape)}"
        )
    acted = in_difficulty(q, mask, margin)
    return torch.where(acted, greedy(tau_of_action, mask), greedy(q, mask)), acted


def linear_schedule(start: float, end: float, duration: int, step: int) -> float:
    """Value at ``step`` of a line from ``start`` at step 0 to ``end`` at step ``duration`` and ever after."""
    if duration < 1:
        raise SettingsError(f"duration is {duration}; a schedule lasts at least 1 step")
    fraction = min(max(step / duration, 0.0), 1.0)
    return start + fraction * (end - start)


def _allowed(value: Tensor, mask: Tensor | None) -> Tensor:
    if mask is None:
        return value
    if mask.shape != value.shape:
        raise InputError(f"mask has shape {tuple(mask.shape)}; the actions are {tuple(value.shape)}")
    if not bool(mask.any(dim=1).all()):
        raise InputError("mask forbids every action in at least one row; allow one, or end the episode there")
    return value.masked_fill(~mask, -torch.inf)
