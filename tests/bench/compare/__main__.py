"""`python -m tests.bench.compare`: rounds of bursts, one server after the other, so that all see the same machine."""

import argparse
import statistics
import sys
from collections.abc import Sequence

import pymongo

from taskmanager.core.storage import database
from tests.bench.compare import report, smoke
from tests.bench.compare.client import burst
from tests.bench.compare.endpoints import DESCRIPTION, ENDPOINTS, Endpoint, Targets, written
from tests.bench.compare.meters import Meters, difference, megabytes
from tests.bench.compare.report import Result, Sample
from tests.bench.compare.servers import PROCESSES, THREADS, UNLIMITED, Server, log_in, ours, peers
from tests.bench.seeding import plan as plans
from tests.bench.seeding.plan import Plan
from tests.bench.seeding.seed import count
from tests.bench.seeding.store import FOLDER, Store

PEERS = "limit,naive,eve,express,fastapi"


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description="The service beside others")
    parser.add_argument("--tasks", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--requests", type=int, default=400, help="of each endpoint, server and round")
    parser.add_argument("--peers", default=PEERS)
    parser.add_argument("--only", default="", help="only endpoints whose name contains this")
    parser.add_argument("--skip", default="", help="endpoints that are left out, by comma")
    parser.add_argument("--alike", action="store_true", help="express and fastapi look the user up and count requests")
    options = parser.parse_args()
    limits = {"ratelimit_default": UNLIMITED, "ratelimit_expensive": UNLIMITED, "expensive_queries": 100}
    size = {"web_processes": PROCESSES, "web_threads": THREADS, "access_token_minutes": 24 * 60}
    store = Store(Plan(options.tasks), **limits, **size)
    servers: list[Server] = []
    try:
        store.open()
        result = run(store, servers, options)
        print(*report.tables(result), sep="\n")
        print(f"\nkept in {report.keep(result, FOLDER / 'results')}", flush=True)
    finally:
        for server in servers:
            server.stop()
        _forget_writes(store)
        store.stop()


def run(store: Store, servers: list[Server], options: argparse.Namespace) -> Result:
    """Start the servers, compare their answers, measure."""
    wanted = options.peers.split(",")
    servers += [ours(store), *peers(store, wanted, alike=options.alike)]
    names = [server.name for server in servers]
    for server in servers:
        server.start()
    log_in(servers[0], [person.name for person in store.plan.people])
    targets = Targets(store.plan)
    for server in servers[1:]:
        smoke.compare(targets, servers[0], server)
    print(f"the same answers by {', '.join(names)}", flush=True)
    skipped = [part for part in options.skip.split(",") if part]
    chosen = [each for each in ENDPOINTS if options.only in each.name and each.name not in skipped]
    samples = measure(store, servers, targets, chosen, options)
    memory = {server.name: megabytes(server) for server in servers}
    notes = [f"not run: {name}" for name in wanted if not {name, f"{name}+"} & set(names)]
    notes.append(
        f"{options.rounds} rounds of {options.requests} requests; the deep page is after {targets.depth:,} rows"
    )
    return Result(store.plan.tasks, samples, memory, notes)


def measure(
    store: Store, servers: Sequence[Server], targets: Targets, chosen: Sequence[Endpoint], options: argparse.Namespace
) -> list[Sample]:
    """Return the samples of all rounds; each round begins with another server."""
    meters, samples = Meters(store), []
    for number in range(-1, options.rounds):  # the first warms up
        for endpoint in chosen:
            for place in range(len(servers)):
                server = servers[(place + number) % len(servers)]
                if server.name in endpoint.without:
                    continue
                sample = _sample(meters, server, targets, endpoint, max(8, int(options.requests * endpoint.share)))
                sample.round = number
                if number >= 0:
                    samples.append(sample)
        print(f"round {number + 1} of {options.rounds}", file=sys.stderr, flush=True)
    return samples


def _sample(meters: Meters, server: Server, targets: Targets, endpoint: Endpoint, number: int) -> Sample:
    """Return what a burst cost. Ends the run at a wrong answer."""
    asked = endpoint.build(targets, server, number)
    requests = [request.encoded(server.port, server.tokens[request.person]) for request in asked]
    before = meters.read(server)
    found = burst(server.port, requests, endpoint.connections, {endpoint.status})
    costs = difference(before, meters.read(server), number)
    if found.wrong:
        raise SystemExit(f"{server.name}: {len(found.wrong)} wrong answers to {endpoint.name}: {found.wrong[0]}")
    times = sorted(found.times)
    return Sample(
        round=0,
        server=server.name,
        endpoint=endpoint.name,
        requests=number,
        rate=number / found.seconds,
        p50=statistics.median(times) * 1000,
        p99=times[int(len(times) * 0.99)] * 1000,
        bytes=found.size,
        **costs,
    )


def _forget_writes(store: Store) -> None:
    """Delete the events and the new tasks, so that the next run begins with the same data."""
    stored, projects = database.database(), [plans.project_id(number) for number in written(store.plan)]
    with pymongo.timeout(600):
        for name in ("events", "counters"):
            stored[name].delete_many({})
        stored["tasks"].delete_many({"project_id": {"$in": projects}, "description": DESCRIPTION})
    count(projects)


if __name__ == "__main__":
    main()
