"""When do the pictures come? Five photos, one to five of them sent at once.

    python -m benchmarks.streaming [--json FILE] [--plot FILE] [--quick]

The real server in its own process, one photo per request, by the real Python client and by plain
HTTP. Times are given as multiples of one photo's service time: what a photo takes when nobody else
is there, measured before and after each row, in the same run.
"""

import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from queue import SimpleQueue
from statistics import median

import httpx
from gradio_client import Client

from benchmarks.serving import alone, connect, files, plain, portraits, serving
from benchmarks.tables import Row, Table, arguments, show

_BATCH = ("python", 0)  # all photos in one request

Send = Callable[[Path], object]
"""Sends a photo and receives the result."""


def together(clients: list[Send], photos: list[Path]) -> list[float]:
    """Send photos with as many requests at a time as there are clients.

    Returns when each result was there, in seconds, ascending; failed ones are left out.
    """
    free: SimpleQueue[Send] = SimpleQueue()
    for client in clients:
        free.put(client)
    start = time.perf_counter()

    def send(photo: Path) -> float | None:
        client = free.get()
        try:
            client(photo)
            return time.perf_counter() - start
        except Exception as error:
            print(f"{photo.name}: {error}")
            return None
        finally:
            free.put(client)

    with ThreadPoolExecutor(len(clients)) as pool:
        return sorted(arrival for arrival in pool.map(send, photos) if arrival is not None)


def one_request(client: Client, photos: list[Path]) -> list[float]:
    """Send photos as one batch; when each result was there, in seconds."""
    start = time.perf_counter()
    job = client.submit(files(photos), api_name="/enhance_batch")
    arrivals = [time.perf_counter() - start for _ in job]
    job.result()
    return arrivals


def measure(quick: bool) -> list[Table]:
    rounds, most, count = (1, 2, 2) if quick else (3, 5, 5)
    singly = [("python", c) for c in range(1, most + 1)]
    plainly = [("plain", c) for c in sorted({1, 2, most})]
    ways = [_BATCH, *singly, *plainly]
    runs: dict[tuple[str, int], list[tuple[float, list[float]]]] = {way: [] for way in ways}
    with tempfile.TemporaryDirectory() as folder, serving() as server:
        photos = portraits(Path(folder), count, tiny=quick)
        # For each of its requests a client reads all certificates anew, on the processors that the
        # model needs: five people would do that on five computers, and none is needed here.
        clients = [connect(server, ssl_verify=False) for _ in range(most)]
        browser = httpx.Client(base_url=server.url, timeout=600)
        senders: dict[str, list[Send]] = {
            "python": [partial(alone, client) for client in clients],
            "plain": [partial(plain, browser)] * most,
        }
        alone(clients[0], photos[0])
        for _ in range(rounds):
            before, _ = alone(clients[0], photos[0])
            for way in ways:
                client, concurrency = way
                if way == _BATCH:
                    arrivals = one_request(clients[0], photos)
                else:
                    arrivals = together(senders[client][:concurrency], photos)
                after, _ = alone(clients[0], photos[0])
                runs[way].append(((before + after) / 2, arrivals))
                before = after

    def row(way: tuple[str, int]) -> Row:
        service, arrivals = zip(*runs[way], strict=True)
        firsts = [times[0] for times in arrivals]
        totals = [times[-1] for times in arrivals]
        return {
            "first, s": round(median(firsts), 2),
            "total, s": round(median(totals), 2),
            "success": f"{sum(map(len, arrivals)) / (len(arrivals) * count):.0%}",
            "first ÷ service": _ratio(firsts, service),
            "total ÷ service": _ratio(totals, service),
        }

    single: list[Row] = [{"concurrency": way[1], **row(way)} for way in singly]
    batch = row(_BATCH)
    collected = {"first picture, s": batch["total, s"], "÷ service": batch["total ÷ service"]}
    streamed = {"first picture, s": batch["first, s"], "÷ service": batch["first ÷ service"]}
    return [
        Table(
            f"{count} photos, one per request",
            single,
            "concurrency",
            ("first ÷ service", "total ÷ service"),
            {"first ÷ service": 1.2, "total ÷ service": 1.05 * count},
        ),
        Table(
            f"{count} photos in one request",
            [{"way": "streamed", **streamed}, {"way": "collected, then shown", **collected}],
        ),
        Table(
            f"{count} photos, one per request, by plain HTTP",
            [{"concurrency": way[1], **row(way)} for way in plainly],
        ),
    ]


def _ratio(times: list[float], services: tuple[float, ...]) -> float:
    return round(median(t / s for t, s in zip(times, services, strict=True)), 2)


def main(argv: list[str] | None = None) -> None:
    wanted = arguments(__doc__).parse_args(argv)
    show(measure(wanted.quick), wanted)


if __name__ == "__main__":
    main()
