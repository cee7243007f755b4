"""Pages of lists of tasks: which index a page is read from, and how far.

* Without a filter: the index of the order.
* With a filter that an index can answer (see `selectivity`): MongoDB chooses between the indexes of the filter, whose
  tasks it sorts in memory, and that of the order, in which it passes over what does not match. It tries them in turn
  and takes the first that has a page, so the cost follows the cheaper one.
* With any other filter: the index of the order.
* When that takes longer than WHOLE_SECONDS, because most tasks do not match: at most MAX_COMPARED tasks in the index of
  the order. Such a page may be partial: it has what was found there, and a cursor to go on.

Many projects are read in parts (see `core.storage.parts`), but not for a person or a label: their indexes begin with
these, and need no seek for each project.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from bson import ObjectId

from taskmanager.core.errors import Unavailable
from taskmanager.core.security.access import Actor
from taskmanager.core.storage.database import bounded
from taskmanager.core.storage.parts import MAX_MERGED, PartsOfPage, ranged, scoped
from taskmanager.core.storage.querysets import Filter, Order, Page, projection
from taskmanager.features.tasks.filtering.expensive import bounded_query, expensive
from taskmanager.features.tasks.filtering.selectivity import Selectivity, compares_texts, selectivity
from taskmanager.features.tasks.models import Task
from taskmanager.features.tasks.querysets import ALIVE

MAX_COMPARED = 20_000  # tasks of a partial page that are compared with its filter
WHOLE_SECONDS = 0.7  # of a query that returns a whole page; then a partial one is read


@dataclass(frozen=True)
class PageReader:
    """Reads a page of the tasks of some projects, which match `condition` unless that is empty."""

    actor: Actor
    project_ids: Sequence[ObjectId]
    condition: Filter
    order: Order
    limit: int
    after: Sequence[Any] | None = None
    fields: Iterable[str] | None = None

    def page(self) -> Page:
        """Return the page. Raises TooMany (`query.too_many`), Unavailable (`query.busy`, `query.too_slow`)."""
        if not self.project_ids:
            return Page([])
        if not self.condition:
            return self._ordered()
        with expensive(self.actor) if compares_texts(self.condition) else bounded_query():
            try:
                with bounded(WHOLE_SECONDS):
                    return self._matching(selectivity(self.condition))
            except Unavailable:
                return self._of_stages(self._parts().walking(ALIVE, self.condition, MAX_COMPARED))

    def _ordered(self) -> Page:
        if self._is_one_query(MAX_MERGED):
            return self._found(hinted=True)
        return self._of_stages(self._parts().stages(ALIVE))

    def _matching(self, found: Selectivity) -> Page:
        size = len(self.project_ids) if found == Selectivity.NARROW else MAX_MERGED
        if self._is_one_query(size):
            return self._found(hinted=found == Selectivity.FREE)
        return self._of_stages(self._parts(size).stages(ALIVE | {"$and": [self.condition]}))

    def _is_one_query(self, size: int) -> bool:
        return len(self.project_ids) == 1 or (not self.after and len(self.project_ids) <= size)

    def _found(self, *, hinted: bool) -> Page:
        """Read the page by one `find`."""
        ranges = ranged(self.order, self.after)
        places: Filter = {"$or": ranges} if len(ranges) > 1 else ranges[0]
        (scope,) = scoped("project_id", self.project_ids, len(self.project_ids))
        query = {"$and": [scope | ALIVE, places, self.condition]} if places or self.condition else scope | ALIVE
        return Task.objects.page_of(query, self.order, self.limit, fields=self.fields, hinted=hinted)

    def _of_stages(self, stages: list[Filter]) -> Page:
        return Task.objects.page_of_stages(stages, self.order, self.limit)

    def _parts(self, size: int = MAX_MERGED) -> PartsOfPage:
        return PartsOfPage(
            "tasks",
            scoped("project_id", self.project_ids, size),
            ranged(self.order, self.after),
            self.order,
            self.limit + 1,
            projection(self.fields, self.order),
        )
