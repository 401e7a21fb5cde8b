"""Whatever a user hands in for an environment, as a `BatchedEnvironment`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from clairvoy.environments.by_name import EnvironmentOptions, environment_by_name
from clairvoy.environments.replayed import Replayed
from clairvoy.errors import SettingsError


def as_environment(environment: Any, num_envs: int, options: EnvironmentOptions | None = None) -> Any:
    """What was handed in, as a batched environment that a run can be resumed in.

    Parameters
    ----------
    environment
        A `BatchedEnvironment`; a vector environment of Gymnasium, or one alone, which is a batch of one; a function that
        makes one of Gymnasium's, which is called for each; or a name, see `by_name`.
    num_envs
        How many, of a name or a function.
    options
        How they are made, of a name.

    Raises
    ------
    SettingsError
        It lacks something, there is no environment of this name, or it cannot be made.
    """
    if isinstance(environment, str):
        environment = environment_by_name(environment, num_envs, options)
    elif options is not None:
        raise SettingsError(
            f"options are for environments given by name, and this is a {type(environment).__name__}: wrap it yourself"
        )
    elif callable(environment) and not hasattr(environment, "step"):
        environment = _side_by_side(environment, num_envs)
    if hasattr(environment, "action_space") and not hasattr(environment, "num_actions"):
        from clairvoy.environments.from_gymnasium import FromGymnasium

        environment = FromGymnasium(environment)
    asked = ("num_envs", "num_actions", "observation_specs", "reset", "step", "action_mask")
    missing = [name for name in asked if not hasattr(environment, name)]
    if missing:
        raise SettingsError(
            f"the environment, a {type(environment).__name__}, lacks {', '.join(missing)}; see BatchedEnvironment in "
            "clairvoy.qlearning.environment, or play rows with a SceneEnvironment"
        )
    return environment if hasattr(environment, "load_state_dict") else Replayed(environment)


def _side_by_side(make: Callable[[], Any], num_envs: int) -> Any:
    from gymnasium.vector import AutoresetMode, SyncVectorEnv

    try:
        return SyncVectorEnv([make] * num_envs, autoreset_mode=AutoresetMode.SAME_STEP)
    except Exception as error:  # whatever somebody else's code may raise
        raise SettingsError(
            f"the function that makes the environment failed: {type(error).__name__}: {error}; it takes nothing and gives a "
            "gymnasium.Env"
        ) from error
