"""What looks around, in a file: it acts, completes and trusts as before; what is none is refused by name."""

import pytest
import torch

from clairvoy.errors import WeightsError
from clairvoy.scenarios.panorama.completion import new_learner
from clairvoy.scenarios.panorama.directions import DIRECTIONS
from clairvoy.scenarios.panorama.looking import Looking
from clairvoy.scenarios.panorama.model import FORMAT, load_model, new_model
from clairvoy.storage.weights_file import read_weights, write_weights


def panoramas(count=3, seed=0):
    return torch.randint(
        256, (count, 3, 32, 64), dtype=torch.uint8, generator=torch.Generator().manual_seed(seed)
    )


@pytest.fixture
def model():
    looking = Looking(32, glimpses=3)
    torch.manual_seed(0)
    made = new_model(looking, new_learner(panoramas(8), looking.views, width=8))
    taken = torch.zeros(3, DIRECTIONS, dtype=torch.bool)
    made.tau.fit(made.snapshot, panoramas(), taken, most=500)
    return made


def test_a_model_from_its_file_is_the_same(model, tmp_path):
    model.save(tmp_path / "looking.safetensors", {"seed": 3})
    again = load_model(tmp_path / "looking.safetensors")
    shown = panoramas(seed=1)
    assert torch.equal(again.choose(shown), model.choose(shown))
    taken = torch.zeros(3, DIRECTIONS, dtype=torch.bool)
    taken[:, 9] = True
    for told, expected in zip(
        again.tau(again.snapshot, shown, taken), model.tau(model.snapshot, shown, taken), strict=True
    ):
        assert torch.equal(told, expected)
    assert torch.equal(again.snapshot.judge(shown), model.snapshot.judge(shown))


def test_what_is_no_model_is_refused_by_name(model, tmp_path):
    path = tmp_path / "broken.safetensors"
    model.save(path)
    read = read_weights(path, FORMAT, "")
    del read.header["format"], read.header["version"]
    missing = {name: value for name, value in read.tensors.items() if name != "values.head.0.bias"}
    write_weights(path, FORMAT, missing, read.header)
    with pytest.raises(WeightsError, match=r"broken.*values\.head\.0\.bias; get the file again"):
        load_model(path)
    write_weights(path, FORMAT, read.tensors, {**read.header, "height": "33"})
    with pytest.raises(WeightsError, match=r"broken.*a multiple of 8"):
        load_model(path)
    with pytest.raises(WeightsError, match=r"nothing\.safetensors"):
        load_model(tmp_path / "nothing.safetensors")
    write_weights(path, "clairvoy-agent-1", {"x": torch.zeros(1)})
    with pytest.raises(WeightsError, match="panorama_values"):
        load_model(path)
