"""Flows as rows that a generator can learn: their encoded fields, and what they were as one more category."""

from __future__ import annotations

import torch
from torch import Tensor

from clairvoy.generative.rows.completing import Masks
from clairvoy.generative.rows.data_kinds import DataKind, table
from clairvoy.generative.rows.given import Given
from clairvoy.scenarios.flows.records.encoding import Encoding


def kind_of_flows(encoding: Encoding, rows: Tensor, classes: int) -> DataKind:
    """The kind of labelled rows (R, columns + 1): fields as `encoding` has them, then the class."""
    return table(rows, [*(kind for _, kind in encoding.columns), max(2, classes)])


def labelled(rows: Tensor, classes: Tensor) -> Tensor:
    """Rows (R, columns) and the class of each (R,) as labelled rows (R, columns + 1)."""
    return torch.cat([rows, classes[:, None].to(rows.dtype)], dim=1)


def fields_of(kind: DataKind, labelled_rows: Tensor) -> Tensor:
    """The fields of labelled rows, encoded (R, W): what may be looked at, which the class is not."""
    # The class is the last category, and categories stand at the end.
    return kind.encode(labelled_rows)[:, : -kind.choices[-1][1]]


def class_of(labelled_rows: Tensor) -> Tensor:
    """The class of labelled rows, (R,) int64."""
    return labelled_rows[:, -1].long()


def group_of_numbers(encoding: Encoding, kind: DataKind) -> Tensor:
    """The group that each number of `fields_of` belongs to, (W,) int64: its place in ``schema.groups``."""
    place = {group: number for number, group in enumerate(encoding.schema.groups)}
    group = {field.name: place[field.group] for field in encoding.schema.fields}
    return torch.tensor([group[name] for name in field_of_numbers(encoding, kind)])


def group_masks(encoding: Encoding, with_class: float = 0.7) -> Masks:
    """What a generator of labelled rows practises to complete: whole groups are known or not, the class often.

    Parameters
    ----------
    encoding
        Of the flows.
    with_class
        Part of the rows of which the class is known.
    """
    place = {group: number for number, group in enumerate(encoding.schema.groups)}
    group = {field.name: place[field.group] for field in encoding.schema.fields}
    of_columns = torch.tensor([group[name] for name, _ in encoding.columns])

    def draw(count: int, noise: torch.Generator) -> Tensor:
        chance = torch.rand(count, 1, generator=noise)
        known = torch.rand(count, len(place), generator=noise) < chance
        return torch.cat([known[:, of_columns], torch.rand(count, 1, generator=noise) < with_class], dim=1)

    return draw


def of_class(kind: DataKind, number: int, count: int) -> Given:
    """Rows of which the class is known and nothing else, to be made up."""
    rows, seen = torch.zeros(count, *kind.shape), torch.zeros(count, *kind.shape, dtype=torch.bool)
    rows[:, -1], seen[:, -1] = number, True
    return Given(rows, seen)


def field_of_numbers(encoding: Encoding, kind: DataKind) -> list[str]:
    """The field that each number of `fields_of` belongs to, W names."""
    names = [name for name, _ in encoding.columns]
    single = [names[int(place)] for place in [*kind.numbers, *kind.bits]]
    return single + [names[place] for place, count in kind.choices[:-1] for _ in range(count)]


def balanced(classes: Tensor, count: int, number: int, noise: torch.Generator) -> Tensor:
    """Places (count,) of rows, the same number of each class, drawn with replacement; ``classes`` (R,) int64 in [0, number).

    A class without a row has no part in it.
    """
    places = [place for c in range(number) if len(place := (classes == c).nonzero()[:, 0])]
    each = -(-count // len(places))
    drawn = [place[torch.randint(len(place), (each,), generator=noise)] for place in places]
    return torch.cat(drawn)[torch.randperm(each * len(places), generator=noise)[:count]]
