"""`make explain`: the index keys that lists of tasks examine: every filter that people use, in every order.

Lists are read by the use case, as a request does it, over one project and over 10, 100 and 1,000, as a person with
many tasks and as one with few; MongoDB's profiler counts. Prints the worst order of each, then the worst lists of all
against `keys <= 4 x answered + 50`. `ARGS="--tasks 10000,100000 --filters assignee --orders due_at,-updated_at"`.
"""

import argparse
import json
import re
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from bson import ObjectId
from pymongo.errors import PyMongoError

from taskmanager.core.errors import TaskManagerError
from taskmanager.core.filters.nodes import GivenFilter
from taskmanager.core.filters.parser import parse
from taskmanager.core.security.access import Actor
from taskmanager.core.storage.querysets import Page
from taskmanager.features.tasks import listing
from taskmanager.features.tasks.filtering.fields import FIELDS
from taskmanager.features.tasks.routes import ORDERS
from taskmanager.features.tasks.schemas import TASK
from taskmanager.web.errors import status_of
from taskmanager.web.pagination import SortParameter
from tests.bench.profiler import Profiler
from tests.bench.seeding import plan as plans
from tests.bench.seeding.plan import Person, Plan
from tests.bench.seeding.store import FOLDER, Store
from tests.web.counting import commands

LIMIT = 50
# Each is asked as a busy person and as a sparse one, who have many and few of these tasks.
OF_A_PERSON = (
    "assignee = me",
    "watcher = me",
    "reporter = me",
    "assignee = me and status_group in [backlog, active]",
    "assignee = me and status = open",
    "assignee = me and due_at = now/w",
    "assignee = me and due_at < now and status_group in [backlog, active]",
    "assignee = me and priority >= high",
    "assignee = me and label = bug",
    "assignee = me and label = rare",
    "assignee = me or watcher = me",
    "reporter = me and status = open",
    "reporter = me and status_group in [backlog, active]",
    "assignee = me or reporter = me",
)
OF_ALL = (
    "",
    "label = bug",
    "label = rare",
    "label = bug and status = open",
    "label = bug and label = docs",
    "status_group in [backlog, active]",
    "status = in_progress",
    "status = done",
    "due_at = now/w",
    "due_at = now/w and status_group in [backlog, active]",
    "due_at < now and status_group in [backlog, active]",
    "completed_at >= today-7d",
    "completed_at >= today",
    "priority = urgent",
    "priority >= high and status = open",
    "due_at is null",
    "start_at is null",
    "estimate_minutes is null",
    "start_at is not null",
    "completed_at is not null",
    "assignee is null",
    "label is null",
    "assignee != me",
    "label != bug",
    "created_at >= today-1d",
    "updated_at >= today-1d",
    # rare ones
    "due_at < 2001-01-01",
    "completed_at >= 2100-01-01",
    "parent is not null",
    "status = cancelled",
    "estimate_minutes > 495",
    "start_at = now/w",
    "title ~ none",
)
_SORT = SortParameter(ORDERS)


@dataclass
class Case:
    """One list, and what it cost."""

    projects: int
    person: str
    filter: str
    sort: str
    page: int
    keys: int
    documents: int
    elsewhere: int  # keys of the queries of other collections, that look up names
    answered: int
    commands: int
    status: int
    ms: int
    plan: str

    @property
    def is_within(self) -> bool:
        return self.status == 200 and self.keys <= 4 * self.answered + 50


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description="Keys that lists of tasks examine")
    parser.add_argument("--tasks", default="10000,100000,1000000", help="sizes of the database")
    parser.add_argument("--projects", default="1,10,100,1000", help="how many projects the person is a member of")
    parser.add_argument("--filters", default="", help="only filters that contain this text")
    parser.add_argument("--orders", default="", help="only these sorts, such as due_at,-updated_at (pairs by +)")
    parser.add_argument("--worst", type=int, default=40, help="how many of the worst lists are printed")
    options = parser.parse_args()
    for number in _numbers(options.tasks):
        run(Plan(number), options)


def run(plan: Plan, options: argparse.Namespace) -> None:
    """Seed, ask, print and keep the cases of one size."""
    store = Store(plan)
    try:
        app = store.open()
        sorts = options.orders.replace("+", "/").split(",") if options.orders else every_sort()
        widths = _numbers(options.projects)
        with app.app_context():
            cases = list(measured(plan, widths, [text.replace("/", ",") for text in sorts], options.filters))
        print(f"\n## {plan.tasks:,} tasks\n")
        print(*table(cases), "", *worst(cases, options.worst), sep="\n", flush=True)
        folder = FOLDER / "results"
        folder.mkdir(exist_ok=True)
        (folder / f"explain-{plan.tasks}.json").write_text(json.dumps([asdict(case) for case in cases], indent=0))
    finally:
        store.stop()


def every_sort() -> list[str]:
    """Return each documented order with each combination of directions."""
    signs = {1: (("",), ("-",)), 2: (("", ""), ("", "-"), ("-", ""), ("-", "-"))}
    return [
        ",".join(sign + name for sign, name in zip(each, names.split(","), strict=True))
        for names in ORDERS
        for each in signs[names.count(",") + 1]
    ]


def measured(plan: Plan, widths: Sequence[int], sorts: Sequence[str], wanted: str) -> Iterator[Case]:
    """Yield the first and the second page of each list."""
    profiler = Profiler()
    for person in plan.people:
        texts = [text for text in (OF_A_PERSON + (OF_ALL if person.busy else ())) if wanted in text]
        for text in texts if person.width in widths else ():
            for sort in sorts:
                yield from _pages(profiler, person, text, sort)


def _pages(profiler: Profiler, person: Person, text: str, sort: str) -> Iterator[Case]:
    roles = {plans.project_id(number): "member" for number in range(person.width)}
    actor = Actor(person.id, project_roles=roles)
    after: list[Any] | None = None
    for number in (1, 2):
        case, after = _asked(profiler, actor, text, sort, after)
        case.person, case.page, case.projects = person.name, number, person.width
        yield case
        if after is None:
            return


def _asked(
    profiler: Profiler, actor: Actor, text: str, sort: str, after: list[Any] | None
) -> tuple[Case, list[Any] | None]:
    moment, began = profiler.begin(), time.monotonic()
    with commands.counting() as seen:
        status, page = _page(actor, text, sort, after)
    ms = (time.monotonic() - began) * 1000
    entries = profiler.since(moment, len(seen))
    found = [entry for entry in entries if entry["ns"] == profiler.tasks]
    case = Case(
        projects=0,
        person="",
        filter=text,
        sort=sort,
        page=0,
        keys=sum(entry.get("keysExamined", 0) for entry in found),
        documents=sum(entry.get("docsExamined", 0) for entry in found),
        elsewhere=sum(entry.get("keysExamined", 0) for entry in entries if entry not in found),
        answered=len(page.rows),
        commands=len(seen),
        status=status,
        ms=round(ms),
        plan=" | ".join(_plan(entry) for entry in found),
    )
    return case, page.next_key


def _page(actor: Actor, text: str, sort: str, after: list[Any] | None) -> tuple[int, Page]:
    project: ObjectId | None = next(iter(actor.project_roles)) if len(actor.project_roles) == 1 else None
    condition = GivenFilter(parse(text, FIELDS)) if text else None
    try:
        tasks = listing.visible(actor, project_id=project, condition=condition)
        return 200, tasks.page(_SORT.order(sort), LIMIT, after=after, fields=TASK.stored_of_list())
    except TaskManagerError as error:
        return status_of(error), Page([])
    except Exception as error:  # a request would answer with 500 or 503
        return (503 if isinstance(error, PyMongoError) and error.timeout else 500), Page([])


def _plan(entry: dict[str, Any]) -> str:
    """Return the indexes of a query by their first fields, each once, and whether it sorts."""
    found = re.findall(r"([A-Z_]+)(?: \{ ([^}]*) \})?", entry.get("planSummary", "?"))
    names = [" ".join([stage, *re.findall(r"([\w.]+):", keys)[:5]]) for stage, keys in found]
    return ", ".join(list(dict.fromkeys(names))[:3]) + (" SORT" if entry.get("hasSortStage") else "")


def table(cases: Sequence[Case]) -> Iterator[str]:
    """Yield a row for each filter and person, a column for each number of projects; each cell is the worst order."""
    widths = sorted({case.projects for case in cases})
    yield "| filter | person | " + " | ".join(f"{width} projects" for width in widths) + " |"
    yield "|---|---|" + "---|" * len(widths)
    rows = dict.fromkeys((case.filter, case.person.split("-")[0]) for case in cases)
    for text, kind in rows:
        mine = [case for case in cases if (case.filter, case.person.split("-")[0]) == (text, kind)]
        cells = [_cell([case for case in mine if case.projects == width]) for width in widths]
        yield f"| `{text or 'none'}` | {kind} | " + " | ".join(cells) + " |"


def _cell(cases: Sequence[Case]) -> str:
    """Return keys > documents > answered of the worst order, its time, and in how many lists there are too many."""
    if not cases:
        return ""
    bad = [case for case in cases if not case.is_within]
    case = max(cases, key=_badness)
    status = "" if case.status == 200 else f"**{case.status}** "
    count = f", {len(bad)} of {len(cases)} too many" if bad else ""
    return f"{status}{case.keys:,} > {case.documents:,} > {case.answered}, {case.ms} ms (`{case.sort}`{count})"


def worst(cases: Iterable[Case], number: int) -> Iterator[str]:
    """Yield how many lists examine too many keys, and the worst of them."""
    every = list(cases)
    bad = sorted((case for case in every if not case.is_within), key=_badness, reverse=True)
    yield f"{len(bad)} of {len(every)} lists examine more than 4 x answered + 50 keys; the most commands are "
    yield f"{max(case.commands for case in every)}, the most documents {max(case.documents for case in every):,},"
    yield f"the most keys of other collections, for names, {max(case.elsewhere for case in every):,}."
    if bad:
        yield "\n| filter | sort | page | person | status | keys | documents | answered | ms | plan |"
        yield "|---|---|---|---|---|---|---|---|---|---|"
    for case in bad[:number]:
        counts = f"{case.keys:,} | {case.documents:,} | {case.answered} | {case.ms}"
        asked = f"`{case.filter or 'none'}` | `{case.sort}` | {case.page} | {case.person}"
        yield f"| {asked} | {case.status} | {counts} | {case.plan} |"


def _badness(case: Case) -> tuple[bool, int]:
    return case.status != 200, case.keys - 4 * case.answered


def _numbers(text: str) -> list[int]:
    return [int(part) for part in text.split(",")]


if __name__ == "__main__":
    main()
