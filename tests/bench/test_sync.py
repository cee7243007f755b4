"""`make bench-sync` at a small size: its assertions hold, and it runs."""

from taskmanager.core.storage import database
from tests.bench.seeding.plan import Plan
from tests.bench.seeding.seed import seed
from tests.bench.sync import table_of


def test_a_delta_costs_by_its_changes(app):
    plan = Plan(400, owners=12)
    seed(database.database(), plan)
    lines = list(table_of(app, plan, (0, 5)))
    assert [line.split("|")[3].strip() for line in lines[2:]] == ["0", "5"] * 2
