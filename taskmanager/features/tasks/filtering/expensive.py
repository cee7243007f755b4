"""How long queries of tasks may take, and the places of those that are expensive."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager

from taskmanager.core.security.access import Actor
from taskmanager.core.storage.database import bounded
from taskmanager.core.storage.expensive import expensive_queries

# What a filter asks may have no index, or be free text: it must not hold a thread for as long as an outage would.
MAX_SECONDS = 1.5


def bounded_query() -> AbstractContextManager[None]:
    """End a query after MAX_SECONDS. Raises Unavailable (`query.too_slow`)."""
    return bounded(MAX_SECONDS)


@contextmanager
def expensive(actor: Actor) -> Iterator[None]:
    """Hold one of the places for expensive queries, and end the query after MAX_SECONDS. Not to be nested.

    Raises TooMany (`query.too_many`), Unavailable (`query.busy`, `query.too_slow`).
    """
    with expensive_queries.place(actor.identity), bounded_query():
        yield
