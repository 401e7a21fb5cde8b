"""An environment by its name: ``CartPole-v1``, ``MinAtar/Breakout``, ``ALE/Pong-v5``."""

from __future__ import annotations

from difflib import get_close_matches
from typing import Any

from clairvoy.errors import SettingsError

MINATAR, ALE = "MinAtar/", "ALE/"


def environment_by_name(name: str, num_envs: int) -> Any:
    """`num_envs` environments that step together.

    Parameters
    ----------
    name
        ``MinAtar/Breakout`` (or Asterix, SpaceInvaders, Freeway, Seaquest; ``-v1`` may follow); ``ALE/Pong-v5`` and the
        other games of ``ale-py``; or any id that Gymnasium knows, such as ``CartPole-v1``.
    num_envs
        At least 1.

    Returns
    -------
    BatchedEnvironment or gymnasium.vector.VectorEnv
        `own_parts.as_environment` takes both. Gymnasium's reset themselves in the same step.

    Raises
    ------
    SettingsError
        No environment has this name, or what it needs is not installed.
    """
    if name.startswith(MINATAR):
        from clairvoy.environments.minatar import GAMES, MinAtarGames

        game = name.removeprefix(MINATAR).removesuffix("-v1")
        if game not in GAMES:
            raise SettingsError(_unknown(name, [MINATAR + known for known in GAMES]))
        return MinAtarGames(game, num_envs)
    gymnasium = _gymnasium(name)
    if name.startswith(ALE):
        from clairvoy.environments.atari import AtariGames, known_games

        game = name.removeprefix(ALE).removesuffix("-v5")
        if game not in known_games():
            raise SettingsError(_unknown(name, [f"{ALE}{known}-v5" for known in known_games()]))
        return AtariGames(game, num_envs)
    mode = gymnasium.vector.AutoresetMode.SAME_STEP
    try:
        return gymnasium.make_vec(
            name, num_envs, vectorization_mode="sync", vector_kwargs={"autoreset_mode": mode}
        )
    except gymnasium.error.DependencyNotInstalled as error:
        extra = "clairvoy[box2d]" if "box2d" in str(error).lower() else "what it names"
        raise SettingsError(
            f"{name!r} needs a package that is not there ({error}); install {extra}"
        ) from error
    except gymnasium.error.UnregisteredEnv as error:
        raise SettingsError(_unknown(name, [*gymnasium.registry, *_games()])) from error
    except gymnasium.error.Error as error:
        raise SettingsError(
            f"gymnasium cannot make {name!r}: {error}; give an id or an environment"
        ) from error


def _gymnasium(name: str) -> Any:
    try:
        import gymnasium
    except ImportError as error:
        raise SettingsError(
            f"{name!r} is an environment of gymnasium, which is not there: install clairvoy[train]"
        ) from error
    return gymnasium


def _games() -> list[str]:
    from clairvoy.environments.minatar import GAMES

    return [MINATAR + game for game in GAMES]


def _unknown(name: str, known: list[str]) -> str:
    # Without capitals, and without what stands before the slash: ``cartpole-v1`` and ``breakout`` are what people type.
    spelled = {other.lower().rpartition("/")[2]: other for other in known}
    spelled |= {other.lower(): other for other in known}
    close = dict.fromkeys(spelled[match] for match in get_close_matches(name.lower(), spelled, n=4))
    hint = (
        f"did you mean {', '.join(list(close)[:3])}?"
        if close
        else "give an id of gymnasium, MinAtar/... or ALE/..."
    )
    return f"there is no environment {name!r}; {hint}"
