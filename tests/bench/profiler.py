"""Reads what MongoDB's profiler keeps of each command: keys and documents examined, the plan."""

import time
from datetime import UTC, datetime
from typing import Any

import pymongo

from taskmanager.core.storage import database
from tests.web.profiling import begin_profile, own_name

_READ_SECONDS = 30
_KEPT = dict.fromkeys(("ts", "ns", "appName", "keysExamined", "docsExamined", "planSummary", "hasSortStage"), 1)


class Profiler:
    """Reads what MongoDB's profiler has kept."""

    def __init__(self) -> None:
        self._database = database.database()
        self.tasks = f"{self._database.name}.tasks"
        begin_profile(self._database, 64_000_000)

    def begin(self) -> datetime:
        """Return the moment from which the next commands are read. The profiler's times are milliseconds."""
        time.sleep(0.002)
        moment = datetime.now(UTC)
        return moment.replace(microsecond=moment.microsecond // 1000 * 1000)

    def end(self) -> None:
        """Switch the profiler off, and delete what it has kept."""
        self._database.command("profile", 0)
        self._database.drop_collection("system.profile")

    def since(self, moment: datetime, number: int) -> list[dict[str, Any]]:
        """Return the entries from `moment` on, when there are so many: one comes late when its client left early.

        Those of other processes, such as the server of the tests, are left out when this one has a name.
        """
        name = own_name()
        until = time.monotonic() + 3
        while True:
            with pymongo.timeout(_READ_SECONDS):  # it is not what is measured
                newest = self._database["system.profile"].find({}, _KEPT, sort=[("$natural", -1)], limit=number + 20)
                found = [entry for entry in newest if entry["ts"] >= moment and ".system." not in entry["ns"]]
                found = [entry for entry in found if name in (None, entry.get("appName"))]
            if len(found) >= number or time.monotonic() > until:
                return found
            time.sleep(0.02)
