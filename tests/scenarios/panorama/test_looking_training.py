"""The agent is co-trained, kept in a file, and chooses glimpses; each direction once."""

import numpy as np
import torch

from clairvoy.cotraining.loop import CotrainSettings, Feedback, cotrain
from clairvoy.imaging.synthesis.panoramas import render_panorama
from clairvoy.scenarios.own.file import load_scenario, save_scenario
from clairvoy.scenarios.panorama.completion import learn_completion
from clairvoy.scenarios.panorama.looking import Looking
from clairvoy.scenarios.panorama.training import by_agent, looking_scenario


def test_a_trained_agent_chooses_the_same_glimpses_from_its_file(tmp_path):
    rng = np.random.default_rng(0)
    drawn = np.stack([render_panorama(32, rng)[0] for _ in range(8)])
    real, looking = torch.from_numpy(drawn).permute(0, 3, 1, 2).contiguous(), Looking(32, glimpses=3)

    def made(seed):
        learner = learn_completion(real, looking.views, updates=1, batch=4, width=8, seed=seed)
        return looking_scenario(real, learner, looking, num_envs=2, seed=seed)

    one, other = made(0), made(1)
    settings = CotrainSettings(
        warm_up=4, agent_batch=8, refresh_every=4, feedback=Feedback(beliefs=False, generated_scenes=False)
    )
    cotrain(one, settings, budget=8)
    save_scenario(tmp_path / "one.safetensors", one)
    load_scenario(tmp_path / "one.safetensors", other)
    chosen = by_agent(one, looking, real)
    assert torch.equal(chosen, by_agent(other, looking, real))
    assert all(len(set(row)) == 3 for row in chosen.tolist())
    assert one.history.recent(4).observation["sphere"].dtype == torch.uint8
