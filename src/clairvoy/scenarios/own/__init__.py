"""A scenario of one's own: an environment, its real data, and how the one becomes the other."""

from clairvoy.scenarios.own.scenario import Scenario, ScenarioSettings
from clairvoy.scenarios.own.scene_environment import Rules, SceneEnvironment

__all__ = ["Rules", "Scenario", "ScenarioSettings", "SceneEnvironment"]
