"""The discriminator of completions: it learns to tell them, and what it believes most is kept."""

import torch

from clairvoy.scenarios.panorama.completion import new_learner
from clairvoy.scenarios.panorama.judging import draws_of, learn_to_judge, most_believed, told_right
from clairvoy.scenarios.panorama.looking import Looking


class Levels:
    """Completes with an even level that is drawn, and believes what is dark."""

    def complete(self, rows, seen, noise=None):
        level = torch.tensor(200) if noise is None else torch.randint(256, (1,), generator=noise)[0]
        return torch.where(seen, rows, level.to(torch.uint8))

    def judge(self, rows):
        return 100 - rows.float().mean(dim=(1, 2, 3))


def test_rough_panoramas_are_told_from_smooth_completions():
    looking = Looking(16)
    rng = torch.Generator().manual_seed(0)
    real = torch.randint(256, (96, 3, 16, 32), dtype=torch.uint8, generator=rng)
    learner = new_learner(real, looking.views, width=16)
    before = {name: value.clone() for name, value in learner.generator.state_dict().items()}
    right = learn_to_judge(learner, real, looking.views, updates=300)
    # Up to ten of the glimpses are real in a completion, too: it cannot always be told.
    assert sum(right[-30:]) / 30 > 0.68 > sum(right[:5]) / 5
    assert all(torch.equal(before[name], value) for name, value in learner.generator.state_dict().items())


def test_of_each_panorama_the_most_believed_draw_is_kept():
    seen = torch.zeros(2, 8, 16, dtype=torch.bool)
    made = draws_of(Levels(), torch.zeros(2, 3, 8, 16, dtype=torch.uint8), seen, 4, seed=1)
    assert made.shape == (4, 2, 3, 8, 16)
    assert len(made.flatten(1)[:, 0].unique()) == 4
    made[0, 1] = 0  # of the second panorama the first draw is the darkest
    kept = most_believed(Levels(), made)
    assert torch.equal(kept[0], made[:, 0].flatten(1).amin(dim=0).view(3, 8, 16))
    assert (kept[1] == 0).all()


def test_what_is_told_right_is_counted_for_each_kind():
    seen = torch.zeros(4, 8, 16, dtype=torch.bool)
    panoramas = torch.tensor([0, 50, 90, 150], dtype=torch.uint8).view(4, 1, 1, 1).expand(4, 3, 8, 16)
    found = told_right(Levels(), panoramas, seen)
    assert (found["real"], found["likeliest"]) == (0.75, 1.0)
    assert found["drawn"] in (0.0, 1.0)  # one level for all
