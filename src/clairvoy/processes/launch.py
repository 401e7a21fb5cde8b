"""Joining the processes that ``torchrun`` has started."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import torch
import torch.distributed as dist

from clairvoy.errors import ProcessError
from clairvoy.processes.ranks import ALONE, Ranks

SECONDS_TO_ANSWER = 600
"""How long one process may keep the others waiting: to begin, each renders views."""


def launched() -> int:
    """How many processes were started together: what ``torchrun`` says, or 1."""
    return int(os.environ.get("WORLD_SIZE", "1"))


@contextmanager
def joined(device: torch.device) -> Iterator[tuple[Ranks, torch.device]]:
    """Join the other processes, if there are any; gives `Ranks`, and the device that is this process's own.

    Parameters
    ----------
    device
        Of "cuda" each process takes the one of its number on its machine, and they talk by NCCL; otherwise by gloo.

    Raises
    ------
    ProcessError
        The others do not come.
    """
    if launched() == 1:
        yield ALONE, device
        return
    if device.type == "cuda":
        device = torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))
        torch.cuda.set_device(device)
    try:
        dist.init_process_group(
            "cpu:gloo,cuda:nccl" if device.type == "cuda" else "gloo",
            timeout=timedelta(seconds=SECONDS_TO_ANSWER),
        )
    except (RuntimeError, ValueError) as error:
        raise ProcessError(
            f"the other processes of this training do not answer ({error}); start all with torchrun --nproc-per-node N"
        ) from error
    try:
        yield Ranks(dist.get_rank(), dist.get_world_size()), device
    finally:
        dist.destroy_process_group()
