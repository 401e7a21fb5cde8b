"""Q-learning begins in all processes at once: what one does alone would meet another one's different sums."""

from types import SimpleNamespace

from clairvoy.cotraining.loop import Cotraining, CotrainSettings
from clairvoy.processes.ranks import Ranks


class WithLaggard(Ranks):
    """Beside this process there is another one whose history fills up later."""

    def __init__(self):
        super().__init__()
        self.other_waits, self.asked = True, 0

    def any(self, flag):
        self.asked += 1
        return flag or self.other_waits


def test_q_learning_waits_for_the_process_whose_history_is_shortest():
    ranks = WithLaggard()
    scenario = SimpleNamespace(history=range(8))
    loop = Cotraining(scenario, CotrainSettings(agent_batch=4, warm_up=0), ranks=ranks)
    assert not loop._has_enough_history()
    ranks.other_waits = False
    assert loop._has_enough_history()
    assert loop._has_enough_history()
    assert ranks.asked == 2  # what has begun is not asked again: the others do not ask either
