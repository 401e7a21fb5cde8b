"""An environment by its name: ``CartPole-v1``, ``MinAtar/Breakout``, ``ALE/Pong-v5``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from difflib import get_close_matches
from typing import Any

from clairvoy.environments.actor_processes import in_actor_processes
from clairvoy.errors import ClairvoyError, SettingsError, at_least

MINATAR, MINI_CAGE, ALE = "MinAtar/", "MiniCAGE/", "ALE/"


@dataclass(frozen=True)
class EnvironmentOptions:
    """How environments are made that are given by name, by Gymnasium's own wrappers; plain numbers, to be written down."""

    arguments: Mapping[str, Any] = field(default_factory=dict)
    """Arguments of the environment's own, such as ``is_slippery`` of FrozenLake or ``sticky`` of MinAtar."""
    max_episode_steps: int | None = None
    """Steps after which an episode is truncated; None leaves it to the environment."""
    only: tuple[str, ...] = ()
    """Parts of the observation that are shown, one of them as if there were no other; none named shows all."""
    grey: bool = False
    """Whether a picture in colours is shown in grey."""
    size: int | None = None
    """Height and width that a picture is brought to."""
    frames: int = 1
    """Observations that are shown together, the latest last."""
    own_randomness: bool = False
    """Whether it draws from global random numbers, and is given some of its own; see `OwnRandomness`."""
    actor_processes: bool = False
    """Whether each has a process of its own; see `in_actor_processes`."""
    drawn: bool = False
    """Whether `render` gives pictures."""

    def __post_init__(self) -> None:
        given = [name for name in ("max_episode_steps", "size", "frames") if getattr(self, name) is not None]
        at_least(self, 1, *given)
        object.__setattr__(self, "only", tuple(self.only))

    def to_dict(self) -> dict[str, Any]:
        """As JSON holds it; `EnvironmentOptions` of it is the same again."""
        return asdict(self) | {"only": list(self.only)}


def environment_by_name(name: str, num_envs: int, options: EnvironmentOptions | None = None) -> Any:
    """`num_envs` environments that step together.

    Parameters
    ----------
    name
        ``MinAtar/Breakout`` (or Asterix, SpaceInvaders, Freeway, Seaquest; ``-v1`` may follow); ``ALE/Pong-v5`` and the
        other games of ``ale-py``; ``MiniCAGE/B_line`` and ``MiniCAGE/Meander``, see `mini_cage`; or any id that Gymnasium
        knows, such as ``CartPole-v1``; ``module:Id-v0`` imports the module that registers it.
    num_envs
        At least 1.
    options
        See `EnvironmentOptions`. The games of MinAtar, MiniCAGE and ALE are shown in their own way: of them `arguments`,
        which are `MinAtarSettings`, `MiniCAGESettings` and `AtariSettings`, and `max_episode_steps`.

    Returns
    -------
    BatchedEnvironment or gymnasium.vector.VectorEnv
        `handed_in.as_environment` takes both. Gymnasium's reset themselves in the same step.

    Raises
    ------
    SettingsError
        No environment has this name, what it needs is not installed, or it cannot be made in this way.
    """
    options = options or EnvironmentOptions()
    if name.startswith(MINATAR):
        from clairvoy.environments.minatar import GAMES, MinAtarGames, MinAtarSettings

        game = name.removeprefix(MINATAR).removesuffix("-v1")
        if game not in GAMES:
            raise SettingsError(_unknown(name, [MINATAR + known for known in GAMES]))
        return MinAtarGames(game, num_envs, _game_settings(name, options, MinAtarSettings, "max_steps", 1))
    if name.startswith(MINI_CAGE):
        from clairvoy.environments.mini_cage import REDS, MiniCAGEGames, MiniCAGESettings

        red = name.removeprefix(MINI_CAGE)
        if red not in REDS:
            raise SettingsError(_unknown(name, [MINI_CAGE + known for known in REDS]))
        return MiniCAGEGames(red, num_envs, _game_settings(name, options, MiniCAGESettings, "max_steps", 1))
    gymnasium = _gymnasium(name)
    if name.startswith(ALE):
        from clairvoy.environments.atari import AtariGames, AtariSettings, known_games

        game = name.removeprefix(ALE).removesuffix("-v5")
        if game not in known_games():
            raise SettingsError(_unknown(name, [f"{ALE}{known}-v5" for known in known_games()]))
        skip = int(options.arguments.get("skip", AtariSettings().skip))
        return AtariGames(game, num_envs, _game_settings(name, options, AtariSettings, "max_frames", skip))
    mode = gymnasium.vector.AutoresetMode.SAME_STEP
    try:
        if options.actor_processes:
            actors = in_actor_processes(lambda: _made(gymnasium, name, options), num_envs)
            actors.spec = gymnasium.spec(name.rpartition(":")[2])  # what messages call it
            return actors
        return gymnasium.vector.SyncVectorEnv(
            [lambda: _made(gymnasium, name, options)] * num_envs, autoreset_mode=mode
        )
    except ClairvoyError:
        raise
    except gymnasium.error.DependencyNotInstalled as error:
        extra = "clairvoy[box2d]" if "box2d" in str(error).lower() else "what it names"
        raise SettingsError(
            f"{name!r} needs a package that is not there ({error}); install {extra}"
        ) from error
    except gymnasium.error.UnregisteredEnv as error:
        raise SettingsError(_unknown(name, [*gymnasium.registry, *_games()])) from error
    except Exception as error:  # whatever the code of an environment may raise
        raise SettingsError(
            f"{name!r} cannot be made: {type(error).__name__}: {error}; look at its id and its arguments"
        ) from error


def _made(gymnasium: Any, name: str, options: EnvironmentOptions) -> Any:
    """One environment of Gymnasium, in its wrappers."""
    more: dict[str, Any] = {"render_mode": "rgb_array"} if options.drawn else {}
    if options.max_episode_steps is not None:
        more["max_episode_steps"] = options.max_episode_steps
    env = gymnasium.make(name, **more, **options.arguments)
    wrap: list[Callable[[Any], Any]] = []
    if options.own_randomness:
        from clairvoy.environments.own_randomness import OwnRandomness

        wrap.append(OwnRandomness)
    if len(options.only) == 1:
        wrap.append(lambda one: _alone(gymnasium, one, options.only[0]))
    elif options.only:
        wrap.append(lambda one: gymnasium.wrappers.FilterObservation(one, list(options.only)))
    if options.grey:
        wrap.append(gymnasium.wrappers.GrayscaleObservation)
    if options.size is not None:
        shape = (options.size, options.size)
        wrap.append(lambda one: gymnasium.wrappers.ResizeObservation(one, shape))
    if options.frames > 1:
        wrap.append(lambda one: gymnasium.wrappers.FrameStackObservation(one, options.frames))
    for wrapper in wrap:
        env = wrapper(env)
    return env


def _alone(gymnasium: Any, env: Any, part: str) -> Any:
    """One part of an observation, as if nothing else were shown: it can be made grey, small and stacked then."""
    parts = getattr(env.observation_space, "spaces", None)
    if not isinstance(parts, Mapping) or part not in parts:
        known = ", ".join(parts) if isinstance(parts, Mapping) else "one thing, without a name"
        raise SettingsError(f"there is no {part!r} in what is shown: {known}")
    return gymnasium.wrappers.TransformObservation(env, lambda shown: shown[part], parts[part])


def _game_settings(
    name: str, options: EnvironmentOptions, settings: Callable[..., Any], longest: str, each: int
) -> Any:
    """The settings of a game of ours; `longest` is their name for the length of an episode, of `each` to a step."""
    if (
        options.only
        or options.grey
        or options.size is not None
        or options.frames > 1
        or options.own_randomness
        or options.actor_processes
    ):
        raise SettingsError(
            f"only, grey, size, frames, own_randomness and actor_processes do not apply to {name!r}, which "
            "is shown in its own way: see its arguments"
        )
    given = dict(options.arguments)
    if options.max_episode_steps is not None:
        given[longest] = each * options.max_episode_steps
    try:
        return settings(**given)
    except TypeError as error:
        raise SettingsError(f"{name!r} takes no such argument ({error})") from error


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
