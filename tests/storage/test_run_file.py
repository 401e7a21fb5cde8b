"""A checkpoint is gone on with only by code that knows its form."""

import pytest
import torch

from clairvoy.errors import WeightsError
from clairvoy.storage import run_file
from clairvoy.storage.run_file import load_run, save_run


@pytest.mark.parametrize("form", [run_file.FORM - 1, run_file.FORM + 1, None])
def test_a_checkpoint_of_another_form_is_refused_by_its_number(tmp_path, form):
    save_run(tmp_path / "run.pt", {"steps": 3})
    state = load_run(tmp_path / "run.pt")
    assert state["steps"] == 3
    if form is None:  # from before forms were counted
        del state["form"]
    else:
        state["form"] = form
    torch.save(state, tmp_path / "run.pt")
    with pytest.raises(WeightsError, match=f"run.pt: a checkpoint of form {form or 1}, .* begin a new run"):
        load_run(tmp_path / "run.pt")
