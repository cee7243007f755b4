"""The time limit of queries of tasks, and the number of concurrent expensive ones."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager

from taskmanager.core.security.access import Actor
from taskmanager.core.storage.database import bounded
from taskmanager.core.storage.expensive import expensive_queries

# A filter may have conditions without an index, or on free text: it must not block a thread as long as an outage would.
MAX_SECONDS = 1.5


def bounded_query() -> AbstractContextManager[None]:
    """Limit a query to MAX_SECONDS. Raises Unavailable (`query.too_slow`)."""
    return bounded(MAX_SECONDS)


@contextmanager
def expensive(actor: Actor) -> Iterator[None]:
    """Hold one of the slots for expensive queries, and limit the query to MAX_SECONDS. Must not be nested.

    Raises TooMany (`query.too_many`), Unavailable (`query.busy`, `query.too_slow`).
    """
    with expensive_queries.place(actor.identity), bounded_query():
        yield
