"""The checks of settings: what passes, and that a message names the field, its value and the remedy."""

from dataclasses import dataclass
from typing import Any

import pytest

from clairvoy.errors import SettingsError, above, at_least, between


@dataclass
class Settings:
    count: Any = 1
    share: Any = 0.5


@pytest.mark.parametrize("value", [1, 1.0, 7, float("inf")])
def test_at_least_takes_its_bound_and_more(value):
    at_least(Settings(count=value), 1, "count")


@pytest.mark.parametrize("value", [0, 0.999, -1, float("nan"), None, "1", (1,)])
def test_at_least_refuses_what_is_less_or_no_number(value):
    with pytest.raises(SettingsError, match="count is"):
        at_least(Settings(count=value), 1, "count")


def test_the_message_names_field_value_and_remedy():
    with pytest.raises(SettingsError, match=r"^count is 0; it must be at least 1$"):
        at_least(Settings(count=0), 1, "count")
    with pytest.raises(SettingsError, match=r"^share is 0; it must be above 0$"):
        above(Settings(share=0), 0, "count", "share")
    with pytest.raises(SettingsError, match=r"^share is '1'; it must lie in \[0, 1\]$"):
        between(Settings(share="1"), 0, 1, "count", "share")


@pytest.mark.parametrize(("value", "fine"), [(0, False), (1e-9, True), (float("nan"), False)])
def test_above_leaves_its_bound_out(value, fine):
    if fine:
        above(Settings(share=value), 0, "share")
    else:
        with pytest.raises(SettingsError):
            above(Settings(share=value), 0, "share")


@pytest.mark.parametrize("value", [0, 1, 0.5, (0.0, 1.0), [0.3]])
def test_between_takes_both_ends_and_every_number_of_a_tuple(value):
    between(Settings(share=value), 0, 1, "share")


@pytest.mark.parametrize("value", [-1e-9, 1.0001, float("nan"), (0.0, 1.5), (float("nan"), 0.0), None])
def test_between_refuses_what_lies_outside(value):
    with pytest.raises(SettingsError, match="share is"):
        between(Settings(share=value), 0, 1, "share")
