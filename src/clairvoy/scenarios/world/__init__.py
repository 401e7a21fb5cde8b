"""Any environment as a scenario: its transitions are learnt, and the agent also learns in what is made up of them."""

from clairvoy.scenarios.world.scenario import WorldScenario
from clairvoy.scenarios.world.settings import WorldSettings

__all__ = ["WorldScenario", "WorldSettings"]
