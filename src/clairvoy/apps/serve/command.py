"""``clairvoy serve``: restore photographs over HTTP."""

from __future__ import annotations

import argparse
import asyncio
import ipaddress
import os
import signal
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clairvoy.apps.argument_types import count
from clairvoy.apps.serve.crew import Crew, LostError
from clairvoy.apps.serve.restorer import UploadRestorer
from clairvoy.apps.serve.uploads import Limits, Model
from clairvoy.apps.worker_process import cores
from clairvoy.errors import FileError, SettingsError
from clairvoy.imaging.formats.recognition import READ_SUFFIXES
from clairvoy.restoring.sessions import DEVICES

if TYPE_CHECKING:
    import uvicorn

TOKEN_VARIABLE = "CLAIRVOY_TOKEN"
LOOPBACK_NAMES = {"localhost", "127.0.0.1", "::1"}
CONNECTIONS_FOR_A_PLACE = 16
"""More are refused: those who wait for an answer, who are told that all places are taken, who ask for health."""
_DEFAULT = Limits()
_EPILOG = f"""\
It listens on this machine only unless --host says otherwise. Nothing is written to disk.

  curl --data-binary @foggy.jpg http://127.0.0.1:8000/v1/clear -o clear.jpg
  curl --data-binary @foggy.jpg http://127.0.0.1:8000/v1/report

/openapi.json describes the API, /healthz says whether it works, /metrics counts for Prometheus.
A token that clients must show comes from --token-file, or from the variable {TOKEN_VARIABLE}.

Ctrl-C and SIGTERM let the pictures that are there be finished, for --grace seconds. Exit code 0 then.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what ``clairvoy serve`` understands."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = _EPILOG
    add = parser.add_argument_group("where").add_argument
    add("--host", default="127.0.0.1", help="address to listen on (default: 127.0.0.1, this machine only)")
    add("--port", type=_port, default=8000, help="0 takes one that is free, and says which (default: 8000)")
    add(
        "--allow-host",
        action="append",
        default=[],
        metavar="NAME",
        help="name that clients call the server by; others are refused (default: those of this machine, or any "
        "if it does not listen on this machine only)",
    )
    add("--token-file", metavar="FILE", help="file with the token that clients must show")

    add = parser.add_argument_group("limits").add_argument
    add(
        "--workers",
        type=count,
        metavar="N",
        help="pictures worked on side by side (default: one for each core)",
    )
    add(
        "--queue",
        type=count,
        default=16,
        metavar="N",
        help="pictures that may wait; more get 429 (default: 16)",
    )
    add(
        "--max-bytes",
        type=count,
        default=_DEFAULT.bytes,
        metavar="N",
        help=f"largest upload (default: {_DEFAULT.bytes})",
    )
    add(
        "--max-pixels",
        type=count,
        default=_DEFAULT.pixels,
        metavar="N",
        help=f"largest picture (default: {_DEFAULT.pixels})",
    )
    add(
        "--seconds",
        type=count,
        default=int(_DEFAULT.seconds),
        metavar="S",
        help="to send a picture, to work on it, to fetch the answer, each (default: 60)",
    )
    add("--grace", type=count, default=10, metavar="S", help="to finish when it is stopped (default: 10)")
    add(
        "--formats",
        metavar="LIST",
        type=_formats,
        default=_DEFAULT.formats,
        help="that are read, such as jpeg,png,heic (default: avif,jpeg,png,tiff,webp)",
    )

    add = parser.add_argument_group("how it restores").add_argument
    add("--device", choices=DEVICES, default="auto", help="where to compute (default: auto)")
    add("--weights", default="fast", metavar="NAME|FILE", help="released weights or your own (default: fast)")
    parser.add_argument("-q", "--quiet", action="store_true", help="log nothing but errors")


def run(args: argparse.Namespace) -> int:
    """Serve until a signal comes; return 0.

    Raises
    ------
    ClairvoyError
        The extra is not installed, the address is taken, or weights, device or token cannot be used.
    """
    try:
        import fastapi  # noqa: F401
        import prometheus_client  # noqa: F401
        import uvicorn  # noqa: F401
    except ImportError as error:
        raise SettingsError(
            f"{error.name} is not installed, which `clairvoy serve` needs: pip install 'clairvoy[serve]'"
        ) from error
    token = _token(args.token_file)
    limits = Limits(args.max_bytes, args.max_pixels, float(args.seconds), args.formats)
    crew = Crew(UploadRestorer, Model(args.weights, args.device, limits), args.workers or cores(), args.queue)
    with _listening(args.host, args.port) as listener:
        asyncio.run(_serve(args, crew, listener, token))
    return 0


async def _serve(args: argparse.Namespace, crew: Crew, listener: socket.socket, token: str | None) -> None:
    server = _server(args, crew, token)
    try:
        try:
            await crew.start()
        except LostError as error:
            raise SettingsError(
                "a process that was to restore ended before it began; take fewer with --workers, or see `clairvoy doctor`"
            ) from error
        if not args.quiet:
            name, port = listener.getsockname()[:2]
            shown = f"[{name}]" if ":" in name else name
            print(
                f"clairvoy: listening on http://{shown}:{port}, {crew.count} at work side by side; Ctrl-C ends it",
                file=sys.stderr,
                flush=True,
            )
            if not token and not _is_loopback(name):
                print(
                    "clairvoy: whoever reaches this address may use it; --token-file asks for a token",
                    file=sys.stderr,
                    flush=True,
                )
        with _ending_well():
            await server.serve([listener])
    finally:
        await crew.dismiss()


def _server(args: argparse.Namespace, crew: Crew, token: str | None) -> uvicorn.Server:
    import uvicorn

    from clairvoy.apps.serve.application import make_app
    from clairvoy.apps.serve.patience import PatientProtocol

    class Protocol(PatientProtocol):
        seconds = crew.model.limits.seconds

    hosts = {name.lower() for name in args.allow_host}
    if _is_loopback(args.host) or hosts:
        hosts |= {*LOOPBACK_NAMES, args.host.lower()}
    return uvicorn.Server(
        uvicorn.Config(
            make_app(crew, hosts=hosts or None, token=token),
            http=Protocol,
            ws="none",
            lifespan="off",
            log_level="error" if args.quiet else "info",
            access_log=not args.quiet,
            server_header=False,
            timeout_graceful_shutdown=args.grace,
            limit_concurrency=CONNECTIONS_FOR_A_PLACE * crew.places,
        )
    )


@contextmanager
def _listening(host: str, port: int) -> Iterator[socket.socket]:
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        listener = socket.create_server((host, port), family=family, backlog=1024)
    except OSError as error:
        raise SettingsError(
            f"{host} port {port} cannot be listened on ({error.strerror or error}); give another --host or --port"
        ) from error
    with listener:
        yield listener


@contextmanager
def _ending_well() -> Iterator[None]:
    """What uvicorn has handled as a signal it raises once more at its end; that is the end that was asked for."""

    def ended(*_: Any) -> None:
        pass

    signals = (signal.SIGINT, signal.SIGTERM)
    before = {number: signal.signal(number, ended) for number in signals}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _token(file: str | None) -> str | None:
    if file is None:
        return os.environ.get(TOKEN_VARIABLE) or None
    try:
        token = Path(file).read_text("utf-8").strip()
    except (OSError, ValueError) as error:
        raise FileError(f"{file} cannot be read ({error}); give a file with the token in it") from error
    if not token:
        raise FileError(f"{file} is empty; write the token into it")
    return token


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _port(text: str) -> int:
    value = int(text) if text.isdigit() else -1
    if not 0 <= value <= 65535:
        raise argparse.ArgumentTypeError(f"{text} is not a port from 0 to 65535")
    return value


def _formats(text: str) -> frozenset[str]:
    known = frozenset(READ_SUFFIXES.values())
    asked = frozenset(name.strip().upper() for name in text.split(","))
    if unknown := sorted(asked - known):
        raise argparse.ArgumentTypeError(
            f"{', '.join(unknown).lower()} cannot be read; take of {', '.join(sorted(known)).lower()}"
        )
    return asked
