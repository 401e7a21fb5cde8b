"""Work handed to the workers of a Dask cluster; only so much of it is on its way that all of them are busy.

So what this process and the scheduler keep in memory does not grow with the amount of work. A worker that is lost costs no
more than what it worked on: that is begun again by another one, and told as lost when it ends its workers again and again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from clairvoy.errors import SettingsError

SECONDS_TO_CONNECT = 10


class Lost:
    """In the place of a result: the workers that it was begun on were lost, too often to go on."""


class Cluster:
    """The workers of a cluster.

    Parameters
    ----------
    distributed
        The library.
    client
        A client of the scheduler.

    Attributes
    ----------
    threads
        How much is worked on at a time.
    """

    def __init__(self, distributed: Any, client: Any) -> None:
        self._distributed, self._client = distributed, client
        self.threads = sum(client.nthreads().values())

    def results(
        self,
        function: Callable[..., Any],
        calls: Iterable[tuple[Any, ...]],
        *,
        ahead: int = 0,
        started: Callable[[int], None] = lambda number: None,
    ) -> Iterator[tuple[int, Any]]:
        """Call `function` on workers; yield the number of each call and its result, or `Lost`, as they end.

        Parameters
        ----------
        function
            Importable on the workers, or defined in the program that runs.
        calls
            Arguments; they are asked for when there is room for more.
        ahead
            Calls on their way at a time; 0 is one for each thread.
        started
            Told the number of each call that is sent.

        Raises
        ------
        SettingsError
            The workers lack a module.
        Exception
            What `function` raises.
        """
        waiting, on_their_way = enumerate(calls), dict[str, int]()
        going = self._distributed.as_completed(loop=self._client.loop)

        def send() -> None:
            for number, call in waiting:
                started(number)
                task = self._client.submit(function, *call, pure=False)
                on_their_way[task.key] = number
                going.add(task)
                return

        for _ in range(ahead or self.threads):
            send()
        try:
            for task in going:
                number = on_their_way.pop(task.key)
                yield number, self._result(task)
                task.release()
                send()
        finally:
            self._client.cancel(list(going.futures))

    def _result(self, task: Any) -> Any:
        error = task.exception() if task.status == "error" else None
        if task.status == "cancelled" or isinstance(error, self._distributed.KilledWorker):
            return Lost
        if isinstance(error, ImportError):
            raise SettingsError(
                f"a worker of the cluster cannot import what it needs ({error}); install the same clairvoy there as here"
            ) from error
        return task.result()


@contextmanager
def connected(address: str) -> Iterator[Cluster]:
    """The cluster whose scheduler listens at an address, such as tcp://scheduler:8786, once it has a worker.

    Raises
    ------
    SettingsError
        Dask is not installed, nobody answers, or there are no workers.
    """
    distributed = _library()
    try:
        client = distributed.Client(address, timeout=SECONDS_TO_CONNECT, set_as_default=False)
    except (OSError, ValueError, TimeoutError) as error:
        raise SettingsError(
            f"{address}: no Dask scheduler answers ({error}); start one with `dask scheduler`, and `dask worker {address}`"
        ) from error
    with client:
        try:
            client.wait_for_workers(1, timeout=SECONDS_TO_CONNECT)
        except TimeoutError as error:
            raise SettingsError(
                f"{client.scheduler.address}: the cluster has no workers; start some with `dask worker`"
            ) from error
        yield Cluster(distributed, client)


def _library() -> Any:
    try:
        import distributed
    except ImportError as error:
        raise SettingsError(
            "--cluster needs Dask, which is not installed: pip install 'clairvoy[cluster]'"
        ) from error
    return distributed
