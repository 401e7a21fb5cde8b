"""History as a Minari data set, which other tools read too, and Minari data sets as history."""

from __future__ import annotations

import json
import os
import shutil
import warnings
from collections.abc import Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from clairvoy.errors import ClairvoyError, FileError, InputError, SettingsError
from clairvoy.qlearning.history import History, HistorySettings
from clairvoy.qlearning.n_step import episode_transitions
from clairvoy.qlearning.transitions import Transitions, joined

if TYPE_CHECKING:
    from minari import MinariDataset

_OURS = "clairvoy"
_NUMBERS = {"row": np.int64, "priority": np.float64, "provenance": np.uint8, "tau": np.float32}
"""What we keep of each step beyond Minari's own, in the infos of the step; all ours begin with `_OURS`."""


def save_minari(history: History, dataset_id: str, *, author: str = "", description: str = "") -> None:
    """Write the history as a new data set into Minari's local folder (``MINARI_DATASETS_PATH``).

    Steps are joined to episodes: what followed one step is, bit for bit, what the next was taken from. Where the
    history begins or ends inside an episode, that episode is written as truncated there. Masks, provenance, tau,
    priorities and the order of the steps are kept in the infos, so that `load_minari` gives back an equal history.

    Parameters
    ----------
    history
        Of single steps, ``n_step=1``: longer returns are formed when loading.
    dataset_id
        Name and version, such as ``cartpole/mediocre-v0``.
    author, description
        Written into the data set.

    Raises
    ------
    SettingsError
        The history holds returns over several steps.
    InputError
        It is empty.
    FileError
        Minari refuses, because there is such a data set, for example. Nothing is left behind then.
    """
    minari, spaces, _ = _modules()
    if history.settings.n_step != 1 or not history.settings.gamma > 0:
        raise SettingsError(
            f"n_step is {history.settings.n_step} and gamma {history.settings.gamma}; a data set holds single steps, "
            "and a discount of 0 hides which ones were the last: record with n_step=1 and gamma above 0"
        )
    if len(history) == 0:
        raise InputError("the history is empty; append steps before saving it")
    held, priority = history.recent(len(history)), history.priorities()
    columns = {name: value.cpu().numpy() for name, value in held.observation.items()}
    nest = _spaces_module().nest
    observation_space = nest({name: _box(spaces, value) for name, value in columns.items()})
    if isinstance(observation_space, dict):
        observation_space = _dict_space(spaces, observation_space)
    episodes = [
        _buffer(held, priority, rows, history.num_actions, number)
        for number, rows in enumerate(_episodes(held))
    ]
    said = {"format": f"{_OURS}-history-1", "settings": asdict(history.settings), "text": description}
    path = minari.storage.get_dataset_path(dataset_id)
    there = os.path.exists(path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Minari asks for links and addresses, which a user may not have.
            minari.create_dataset_from_buffers(
                dataset_id,
                episodes,
                observation_space=observation_space,
                action_space=spaces.Discrete(history.num_actions),
                author=author or None,
                description=json.dumps(said),
                jpeg_encoding=False,
            )
    except Exception as error:  # Minari raises many kinds
        if not there:
            shutil.rmtree(path, ignore_errors=True)
        raise FileError(f"Minari cannot write {dataset_id}: {error}") from error


def load_minari(
    dataset: str | MinariDataset,
    settings: HistorySettings | None = None,
    generator: torch.Generator | None = None,
    device: str | torch.device = "cpu",
) -> History:
    """Read a data set of single steps as history: one of `save_minari`, or any whose spaces `from_gymnasium` takes.

    Parameters
    ----------
    dataset
        Name of a local data set, or what ``minari.load_dataset`` returned.
    settings
        None takes those that were saved; of a data set that others made, the default ones with room for all of
        it. With ``n_step`` above 1 the returns are formed here, from the episodes.
    generator
        Of later samples; a new one if None.
    device
        Where the transitions lie.

    Returns
    -------
    History
        Of one environment. One that `save_minari` wrote is equal to what was saved, priorities included, if it is
        loaded with the settings that it was saved with.

    Raises
    ------
    FileError
        No such data set, or a damaged one.
    SettingsError
        Spaces that Q-learning here cannot use, or too little room.
    """
    minari, _, leaves_of = _modules()
    try:
        data = minari.load_dataset(dataset) if isinstance(dataset, str) else dataset
        said = _said(data)
        code = _actions_module().ActionCode(data.action_space)
        shown = leaves_of(data.observation_space, "ours" if said else None)
        total = int(data.total_steps)
        settings = settings or (
            HistorySettings(**said["settings"]) if said else HistorySettings(capacity=max(1, total))
        )
        if total > settings.capacity:
            raise SettingsError(
                f"capacity is {settings.capacity}; the data set holds {total} steps: raise capacity"
            )
        actions = code.count
        found = [_of_episode(episode, shown, code, settings) for episode in data.iterate_episodes()]
    except ClairvoyError:
        raise
    except Exception as error:  # Minari, h5py and json raise many kinds
        raise FileError(
            f"cannot read the data set {dataset}: {error}; name one that lies in Minari's folder"
        ) from error
    if not found:
        raise FileError(f"{dataset} holds no episode; record it again")
    transitions, numbers = joined([part for part, _ in found]), _joined_numbers([part for _, part in found])
    if "row" in numbers:
        order = torch.from_numpy(numbers["row"]).argsort()
        transitions = transitions.rows(order)
    history = History(settings, 1, actions, generator or torch.Generator(), device)
    history.add(transitions)
    if "priority" in numbers and settings.n_step == 1:
        history.set_priorities(torch.arange(len(history)), torch.from_numpy(numbers["priority"])[order])
    history.check_valid()
    return history


def _modules() -> tuple[Any, Any, Any]:
    """Minari, Gymnasium's spaces and our translation of them: loaded on use, they are optional."""
    try:
        import minari
        import minari.storage
        from gymnasium import spaces
    except ImportError as error:
        raise FileError(f"{error.name} is not installed: pip install 'clairvoy[history]'") from error
    return minari, spaces, _spaces_module().leaves


def _spaces_module() -> Any:
    from clairvoy.environments import gymnasium_spaces

    return gymnasium_spaces


def _actions_module() -> Any:
    from clairvoy.environments import gymnasium_actions

    return gymnasium_actions


def _box(spaces: Any, values: np.ndarray) -> Any:
    if np.issubdtype(values.dtype, np.floating):
        return spaces.Box(-np.inf, np.inf, values.shape[1:], values.dtype)
    limits = np.iinfo(values.dtype) if values.dtype != bool else None
    low, high = (0, 1) if limits is None else (limits.min, limits.max)
    return spaces.Box(low, high, values.shape[1:], values.dtype)


def _dict_space(spaces: Any, nested: dict[str, Any]) -> Any:
    return spaces.Dict({k: _dict_space(spaces, v) if isinstance(v, dict) else v for k, v in nested.items()})


def _episodes(held: Transitions) -> Iterator[list[int]]:
    """Rows that follow one another, by what was seen; oldest first."""
    before, after = _fingerprints(held.observation), _fingerprints(held.next_observation)
    over = (held.discount == 0).tolist()
    open_at: dict[bytes, list[list[int]]] = {}
    episodes: list[list[int]] = []
    for row, seen in enumerate(before):
        waiting = open_at.get(seen)
        if waiting:
            episode = waiting.pop(0)
            episode.append(row)
        else:
            episode = [row]
            episodes.append(episode)
        if not over[row]:
            open_at.setdefault(after[row], []).append(episode)
    yield from episodes


def _fingerprints(observation: dict[str, Tensor]) -> list[bytes]:
    columns = [value.cpu().contiguous().flatten(1) for value in observation.values()]
    as_bytes = [value.view(torch.uint8) if value.dtype != torch.bool else value.byte() for value in columns]
    return [row.tobytes() for row in torch.cat(as_bytes, dim=1).numpy()]


def _buffer(held: Transitions, priority: Tensor, rows: list[int], actions: int, number: int) -> Any:
    from minari.data_collector import EpisodeBuffer

    index = torch.tensor(rows)
    observations = {
        name: torch.cat((value[index], held.next_observation[name][index[-1:]])).cpu().numpy()
        for name, value in held.observation.items()
    }
    terminations = (held.discount[index] == 0).cpu().numpy()
    truncations = np.zeros_like(terminations)
    truncations[-1] = not terminations[-1]
    # Infos have an entry for the reset as well, of which nothing of this is known.
    kept: dict[str, np.ndarray] = {
        "row": index.numpy(),
        "priority": priority[index].numpy(),
        "provenance": held.provenance[index].cpu().numpy(),
        "tau": held.tau[index].cpu().numpy(),
    }
    infos: dict[str, Any] = {
        f"{_OURS}_{name}": np.concatenate((np.zeros(1, _NUMBERS[name]), kept[name].astype(_NUMBERS[name])))
        for name in _NUMBERS
    }
    mask = held.next_mask[index].cpu().numpy().astype(np.int8)
    infos["action_mask"] = np.concatenate((np.ones((1, actions), np.int8), mask))
    return EpisodeBuffer(
        id=number,
        observations=_spaces_module().nest(observations),
        actions=held.action[index].cpu().numpy(),
        rewards=list(held.reward[index].cpu().numpy()),
        terminations=list(terminations),
        truncations=list(truncations),
        infos=infos,
    )


def _said(data: Any) -> dict[str, Any]:
    """What `save_minari` wrote into the description; empty for a data set of others."""
    try:
        said = json.loads(data.storage.metadata.get("description", ""))
    except (ValueError, TypeError):
        return {}
    return said if isinstance(said, dict) and str(said.get("format", "")).startswith(_OURS) else {}


def _of_episode(
    episode: Any, shown: dict[str, Any], code: Any, settings: HistorySettings
) -> tuple[Transitions, dict[str, np.ndarray]]:
    observation, actions = _spaces_module().named(episode.observations, shown), code.count
    steps, infos = len(episode.rewards), episode.infos or {}
    if steps == 0 or bool(np.any(episode.terminations[:-1]) or np.any(episode.truncations[:-1])):
        raise InputError(f"episode {episode.id} is empty or goes on after its end; split it there")
    mask = infos.get("action_mask")
    if mask is not None and np.shape(mask) == (steps + 1, actions):
        allowed = torch.from_numpy(np.asarray(mask).astype(bool))[1:]
    else:
        allowed = torch.ones(steps, actions, dtype=torch.bool)
    numbers = {
        name: np.asarray(infos[f"{_OURS}_{name}"])[1:] for name in _NUMBERS if f"{_OURS}_{name}" in infos
    }
    transitions = episode_transitions(
        observation,
        torch.from_numpy(code.encode(episode.actions)),
        torch.from_numpy(np.asarray(episode.rewards).astype(np.float32)),
        terminated=bool(episode.terminations[-1]),
        next_mask=allowed,
        provenance=torch.from_numpy(numbers.get("provenance", np.zeros(steps, np.uint8))),
        tau=torch.from_numpy(numbers.get("tau", np.ones(steps, np.float32))),
        n=settings.n_step,
        gamma=settings.gamma,
    )
    return transitions, numbers


def _joined_numbers(found: list[dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
    names = set(found[0]).intersection(*found)
    return {name: np.concatenate([part[name] for part in found]) for name in names}
