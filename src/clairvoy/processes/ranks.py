"""The processes that train one model together, each on its part of every batch; alone there is one, and nothing is sent.

Each holds the same weights. A batch is shared out by turns: process ``rank`` of ``size`` has the samples ``rank``,
``rank + size``, ... of it, so that the first half of the whole batch is the first halves of all parts. Gradients are
averaged. So the weights are those of one process that learns from the whole batch, up to the order of sums.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor

from clairvoy.errors import ProcessError, SettingsError

T = TypeVar("T")
SEEDS_APART = 1_000_003
"""Between the seeds of two processes, for what each draws for itself."""


class Ranks:
    """A process among those that train together.

    Parameters
    ----------
    rank, size
        Its number, from 0, and how many there are. With more than one, torch's process group must have been initialised.

    Attributes
    ----------
    first
        Whether it is the one that writes.
    """

    def __init__(self, rank: int = 0, size: int = 1) -> None:
        self.rank, self.size, self.first = rank, size, rank == 0

    def seed(self, seed: int) -> int:
        """A seed of this process's own; the first one's is `seed`."""
        return seed + SEEDS_APART * self.rank

    def part(self, whole: Tensor) -> Tensor:
        """The process's part of what belongs to a whole batch, (size * B, ...) to (B, ...)."""
        return whole[self.rank :: self.size]

    def share(self, name: str, whole: int) -> int:
        """How many of `whole` are this process's.

        Raises
        ------
        SettingsError
            They cannot be shared out evenly.
        """
        if whole % self.size:
            raise SettingsError(
                f"{name} is {whole}, which {self.size} processes cannot share evenly; give a multiple of {self.size}"
            )
        return whole // self.size

    def mean(self, value: Tensor) -> Tensor:
        """The mean of all processes' values, of any shape; a copy."""
        if self.size == 1:
            return value
        total = value.detach().clone().contiguous()
        with _listening():
            dist.all_reduce(total)
        return total / self.size

    def average_gradients(self, parameters: Iterable[Tensor]) -> None:
        """Give every process the mean of all processes' gradients."""
        if self.size == 1:
            return
        gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
        mean = self.mean(torch.cat([gradient.flatten() for gradient in gradients]))
        for gradient, part in zip(gradients, mean.split([g.numel() for g in gradients]), strict=True):
            gradient.copy_(part.view_as(gradient))

    def any(self, flag: bool) -> bool:
        """Whether any process says so."""
        return flag if self.size == 1 else any(self.gather(flag))

    def gather(self, value: T) -> list[T]:
        """Every process's value, in the order of their ranks."""
        if self.size == 1:
            return [value]
        values: list[Any] = [None] * self.size
        with _listening():
            dist.all_gather_object(values, value)
        return values

    def by_first(self, act: Callable[[], object]) -> None:
        """Let the first process act; where it fails, the others end as well, and leave the message to it.

        Raises
        ------
        SystemExit
            In the others, with exit code 2.
        """
        error: Exception | None = None
        if self.first:
            try:
                act()
            except Exception as caught:
                error = caught
        failed = self.any(error is not None)
        if error is not None:
            raise error
        if failed:
            raise SystemExit(2)


ALONE = Ranks()


@contextmanager
def _listening() -> Iterator[None]:
    """Say of a process that does not answer that it is gone: the library tells of sockets."""
    try:
        yield
    except RuntimeError as error:
        raise ProcessError(
            f"another process of this training is gone or does not answer ({str(error).splitlines()[0]}); see what it said. "
            "Start all of them again with --resume: the run goes on from its last checkpoint"
        ) from error
