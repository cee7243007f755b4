"""The tables of a run, and what is kept of it: JSON and a plot."""

import json
import statistics
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.bench import plot
from tests.bench.plot import Spread


@dataclass
class Sample:
    """One burst: what one request cost on average, and the times of the client."""

    round: int
    server: str
    endpoint: str
    requests: int
    cpu: float  # microseconds of the server's processes
    database: float  # microseconds of MongoDB
    commands: float
    trips: float
    keys: float
    documents: float
    aborted: float
    rate: float  # requests a second
    p50: float  # milliseconds
    p99: float
    bytes: int


@dataclass
class Result:
    """A whole run."""

    tasks: int
    samples: list[Sample]
    memory: dict[str, list[float]]  # MB of each process at the end
    notes: list[str]

    def servers(self) -> list[str]:
        return list(dict.fromkeys(sample.server for sample in self.samples))

    def endpoints(self) -> list[str]:
        return list(dict.fromkeys(sample.endpoint for sample in self.samples))

    def of(self, server: str, endpoint: str) -> list[Sample]:
        return [sample for sample in self.samples if (sample.server, sample.endpoint) == (server, endpoint)]

    def ratios(self, server: str, endpoint: str, *parts: str) -> list[float]:
        """Return the CPU of a request as a ratio to the limit's in the same round: the sum of `cpu`, `database`."""
        limit = {sample.round: _sum(sample, parts) for sample in self.of("limit", endpoint)}
        found = self.of(server, endpoint)
        return [_sum(sample, parts) / limit[sample.round] for sample in found if limit.get(sample.round)]

    def spread(self, server: str, endpoint: str, *parts: str) -> Spread | None:
        """Return the median, the least and the most of `ratios`."""
        found = self.ratios(server, endpoint, *parts)
        return (statistics.median(found), min(found), max(found)) if found else None


def tables(result: Result) -> Iterator[str]:
    """Yield the lines of the ratios, of the details, and of the memory."""
    yield f"{result.tasks:,} tasks: CPU of the server for a request as a ratio to `limit`: median (least to most)"
    yield from _ratios(result, "cpu")
    yield "The same with the CPU of MongoDB"
    yield from _ratios(result, "cpu", "database")
    columns = (
        "CPU µs | of MongoDB | requests/s | p50 ms | p99 ms | commands | trips | keys | documents | aborted | bytes"
    )
    yield f"| | server | {columns} |"
    yield f"|---|---|{'---|' * len(columns.split('|'))}"
    for endpoint in result.endpoints():
        for server in result.servers():
            if found := result.of(server, endpoint):
                yield f"| {endpoint} | {server} | {' | '.join(_details(found))} |"
    yield ""
    yield "Memory of each process (MB): " + "; ".join(
        f"{server} {', '.join(f'{each:.0f}' for each in found)}" for server, found in result.memory.items()
    )
    yield from result.notes


def _ratios(result: Result, *parts: str) -> Iterator[str]:
    servers = result.servers()
    yield f"\n| | {' | '.join(servers)} |"
    yield f"|---|{'---|' * len(servers)}"
    for endpoint in result.endpoints():
        yield f"| {endpoint} | {' | '.join(_ratio(result.spread(server, endpoint, *parts)) for server in servers)} |"
    yield ""


def _sum(sample: Sample, parts: Sequence[str]) -> float:
    return sum(getattr(sample, part) for part in parts)


def _ratio(spread: Spread | None) -> str:
    return "" if spread is None else f"{spread[0]:.2f} ({spread[1]:.2f} to {spread[2]:.2f})"


def _details(samples: Sequence[Sample]) -> Iterator[str]:
    forms = {
        "cpu": ".0f",
        "database": ".0f",
        "rate": ".0f",
        "p50": ".1f",
        "p99": ".1f",
        "commands": ".1f",
        "trips": ".1f",
        "keys": ",.0f",
    }
    forms |= {"documents": ",.0f", "aborted": ".2f", "bytes": ",.0f"}
    for name, form in forms.items():
        yield format(statistics.median(getattr(sample, name) for sample in samples), form)


def keep(result: Result, folder: Path) -> Path:
    """Write the run as JSON and its ratios as a plot; return the path of the plot."""
    folder.mkdir(parents=True, exist_ok=True)
    name = f"bench-{result.tasks}-{datetime.now(UTC):%Y%m%d-%H%M}"
    body: dict[str, Any] = asdict(result)
    (folder / f"{name}.json").write_text(json.dumps(body, indent=0))
    ratios: dict[str, dict[str, Spread]] = {}
    for endpoint in result.endpoints():
        found = {server: result.spread(server, endpoint, "cpu") for server in result.servers()}
        ratios[endpoint] = {server: spread for server, spread in found.items() if spread}
    path = folder / f"{name}.svg"
    path.write_text(plot.bars(f"{result.tasks:,} tasks: CPU of the server for a request", ratios, "limit = 1"))
    return path
