"""`clairvoy watch RUN --film GIF`: the trained agent at play."""

from __future__ import annotations

import sys
from pathlib import Path

from clairvoy.apps.outputs import check_writable, write_bytes
from clairvoy.drawing.animation import animation
from clairvoy.drawing.film import film
from clairvoy.environments.by_name import EnvironmentOptions
from clairvoy.environments.handed_in import as_environment
from clairvoy.errors import FileError, SettingsError, WeightsError
from clairvoy.scenarios.world.file import load_world, notes_of

SECONDS_A_FRAME = 0.04


def write_film(run: Path, out: Path, seed: int) -> int:
    """Film an episode of the agent that a run of `clairvoy train world` kept.

    Raises
    ------
    FileError
        The run holds no such agent, or the film cannot be written.
    SettingsError
        The film would be no GIF, or there is nothing to look at.
    """
    if out.suffix.lower() != ".gif":
        raise SettingsError(f"--film is {out}; it is written as a GIF: name a file that ends with .gif")
    check_writable([out])
    weights = run / "weights.safetensors"
    try:
        notes = notes_of(weights)
        env, options = notes["env"], notes.get("options", {})
    except (WeightsError, KeyError) as error:
        raise FileError(
            f"{run} holds no trained agent of `clairvoy train world` ({error}); train one to its end first"
        ) from error
    environment = as_environment(
        env, 1, EnvironmentOptions(**{**options, "actor_processes": False, "drawn": True})
    )
    agent = load_world(weights, environment).agent
    played = film(environment, agent.act_greedily, seed)
    write_bytes(out, animation(played.frames, round(1000 * SECONDS_A_FRAME)))
    said = f"{played.steps} steps" if played.ended else f"the first {played.steps} steps"
    if played.stride > 1:
        said += f", a frame for every {played.stride}"
    print(f"film: {out}; return {played.earned:.1f} in {said}", file=sys.stderr)
    return 0
