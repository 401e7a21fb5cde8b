"""`clairvoy serve` under load: what is answered, how fast, and what memory it takes.

    python benchmarks/serve.py --requests 10000 --concurrency 16 64

Starts a server, sends it the same picture again and again from so many clients at a time, each of which sends the next as
soon as it has its answer, and prints a row of a table for each number of clients. Linux: memory is read from /proc.
"""

from __future__ import annotations

import argparse
import asyncio
import re
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import cv2
import httpx
import numpy as np

EXAMPLE = Path(__file__).parents[1] / "examples/hazy/salcantay.jpg"
HEAD = (
    "| requests | concurrency | answered 200 | told to come again (429) | unanswered, other | p50, p99 of 200 "
    "| p99 of 429 | requests/s | memory after a tenth, highest |"
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--requests", type=int, default=10_000)
    parser.add_argument("--concurrency", type=int, nargs="+", default=[16, 64])
    parser.add_argument("--side", type=int, default=320, help="longer side of the picture")
    parser.add_argument("--workers", default="1")
    parser.add_argument("--queue", default="16")
    args = parser.parse_args()
    picture = cv2.imread(str(EXAMPLE))
    size = (args.side, args.side * picture.shape[0] // picture.shape[1])
    data = cv2.imencode(".jpg", cv2.resize(picture, size, interpolation=cv2.INTER_AREA))[1].tobytes()
    print(f"{size[0]} x {size[1]} pixels, {args.workers} worker(s), queue {args.queue}\n")
    print(HEAD)
    print("|" + "---|" * HEAD.count(" | ") + "---|")
    for concurrency in args.concurrency:
        program = [sys.executable, "-m", "clairvoy", "serve", "--port", "0"]
        program += ["--workers", args.workers, "--queue", args.queue]
        with subprocess.Popen(
            program, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True
        ) as server:
            try:
                address = re.search(r"http://[\d.:]+", server.stderr.readline())[0]
                print(asyncio.run(load(address, server.pid, data, args.requests, concurrency)), flush=True)
            finally:
                server.terminate()


async def load(address: str, pid: int, data: bytes, requests: int, concurrency: int) -> str:
    """Send all requests; give a row of the table."""
    left, outcomes, memory = iter(range(requests)), [], []

    async def client() -> None:
        async with httpx.AsyncClient(base_url=address, timeout=120) as mine:
            for _ in left:
                begun = time.perf_counter()
                try:
                    status = (await mine.post("/v1/clear", content=data)).status_code
                except httpx.HTTPError as error:
                    status = type(error).__name__
                outcomes.append((status, time.perf_counter() - begun))
                if len(outcomes) % 50 == 0:
                    memory.append(resident(pid))
                if status == 429:
                    await asyncio.sleep(0.2)  # a tenth of what Retry-After asks for

    begun = time.perf_counter()
    await asyncio.gather(*(client() for _ in range(concurrency)))
    seconds = time.perf_counter() - begun
    counts = Counter(status for status, _ in outcomes)
    done = np.array([took for status, took in outcomes if status == 200])
    refused = np.array([took for status, took in outcomes if status == 429] or [0.0])
    other = requests - counts[200] - counts[429]
    return (
        f"| {requests} | {concurrency} | {counts[200]} | {counts[429]} | {other} | {np.percentile(done, 50):.2f}, "
        f"{np.percentile(done, 99):.2f} s | {np.percentile(refused, 99) * 1000:.0f} ms | {requests / seconds:.1f} | "
        f"{memory[len(memory) // 10]:.0f}, {max(memory):.0f} MB |"
    )


def resident(pid: int) -> float:
    """Resident memory in MB of a process and of all that come from it; what they share counts once for each."""
    total, waiting = 0.0, [pid]
    while waiting:
        one = waiting.pop()
        try:
            status = Path(f"/proc/{one}/status").read_text()
            for thread in Path(f"/proc/{one}/task").iterdir():
                waiting += map(int, (thread / "children").read_text().split())
        except OSError:
            continue
        if found := re.search(r"VmRSS:\s+(\d+)", status):
            total += int(found[1]) / 1024
    return total


if __name__ == "__main__":
    main()
