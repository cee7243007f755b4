"""A seeded database in a folder that is kept, so that a second run need not seed again."""

import hashlib
from pathlib import Path
from typing import Any

from flask import Flask

from migrations import runner, scripts
from taskmanager.app import create_app
from taskmanager.core.storage import database
from taskmanager.embedded import mongod
from taskmanager.testing.fixtures import PATIENCE
from tests.bench.seeding.plan import Plan
from tests.bench.seeding.seed import grow_cache, seed
from tests.faults.stack import ROOT, Stack

FOLDER = ROOT / ".data-bench"


class Store(Stack):
    """The servers, and in MongoDB the tasks of a plan. A changed plan or migration is seeded again."""

    def __init__(self, plan: Plan, folder: Path | None = None, **changes: Any) -> None:
        self.plan = plan
        folder = folder or FOLDER / f"{plan.tasks}-{plan.owners}"
        server = mongod.MongodServer(folder / "mongodb", ttlMonitorEnabled="false")
        super().__init__(folder, server, **changes)

    def open(self) -> Flask:
        """Start the servers, connect this process, and seed unless that was done; return the application."""
        self.start_servers()
        create_app(self.settings.model_copy(update=PATIENCE))  # a large project is counted for longer than a request
        grow_cache(database.database())
        stored, wanted = database.database(), {"_id": 0, "signature": _signature()}
        if stored["bench"].find_one() != wanted:
            stored.client.drop_database(stored.name)
            runner.run(stored)
            seed(stored, self.plan)
            stored["bench"].insert_one(wanted)
        return create_app(self.settings)


def _signature() -> str:
    found = hashlib.sha256()
    for folder in (Path(__file__).parent, Path(scripts.__path__[0])):
        for path in sorted(folder.glob("*.py")):
            found.update(path.read_bytes())
    return found.hexdigest()
