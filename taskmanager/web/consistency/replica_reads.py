"""Which requests secondaries answer: those of an allowed kind whose client says what it has seen, by a causal token.

Without the token the primary answers, because the caller may have written a moment ago. With it the read waits until
the member has what the token names. When a secondary fails, the primary answers the same request; while there is no
primary, secondaries answer on.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from contextvars import copy_context

from bson.timestamp import Timestamp
from flask import Response
from pymongo.errors import OperationFailure, PyMongoError

from taskmanager.core.configuration import settings
from taskmanager.core.configuration.database_settings import ReplicaRead
from taskmanager.core.errors import Malformed, Unavailable
from taskmanager.core.storage.database import breaker
from taskmanager.core.storage.replicas import causality, reading
from taskmanager.core.telemetry.instruments import REPLICA_READS
from taskmanager.web.consistency import causal_tokens

View = Callable[[], Response]


def may_answer(kind: ReplicaRead | None) -> bool:
    """Return whether secondaries may answer this request, whose reads are of this kind."""
    if not settings.current().reads_replicas(kind) or reading.are_resting():
        return False
    try:
        return causal_tokens.given() is not None
    except Malformed:
        return False  # `read` refuses it, once the caller is known


def read(kind: ReplicaRead | None, view: View) -> Response:
    """Return the response of a view that only reads; with a token of what it has read, for an allowed kind.

    Raises Malformed (`header.causal_token`).
    """
    moment = causal_tokens.given() if kind else None
    if not settings.current().reads_replicas(kind):
        return view()
    if may_answer(kind):
        try:
            with reading.from_secondaries(), reading.within_half_of_the_limit():
                response = _after(moment, view)
            REPLICA_READS.labels("secondary").inc()
            return response
        except (PyMongoError, Unavailable) as error:
            if not reading.failed(error):
                raise
            reading.rest(error)
            breaker.check()
    REPLICA_READS.labels("primary").inc()
    return _from_primary(moment, view)


def write(view: View) -> Response:
    """Return the response of a view that writes; with a token of its commit, when secondaries may answer reads.

    A response without a commit, such as one that is repeated for an Idempotency-Key, has a token of the present.
    """
    if not settings.current().replica_reads:
        return view()
    with causality.noted() as noted:
        response = view()
    return _with_token(response, noted.latest or reading.present())


def streamed(parts: Iterator[bytes]) -> Iterator[bytes]:
    """Return the parts of an export, which secondaries may answer; the parts are made while they are sent."""
    moment = causal_tokens.given()
    return _streamed(parts, moment) if may_answer("exports") else parts


def _from_primary(moment: Timestamp | None, view: View) -> Response:
    """Return the response of the primary; a token of a time that it has never had counts as none.

    So has one from before the database was restored from a backup.
    """
    try:
        return _after(moment, view)
    except OperationFailure as error:
        if not reading.is_unheard_of(error):
            raise
        return _after(None, view)


def _after(moment: Timestamp | None, view: View) -> Response:
    """Return the response of `view`, which reads what was committed until `moment`."""
    with reading.after(moment) as session:
        response = view()
        seen = max((one for one in (moment, session.operation_time) if one is not None), default=None)
        return _with_token(response, seen)


def _with_token(response: Response, moment: Timestamp | None) -> Response:
    if moment is not None:
        response.headers[causal_tokens.HEADER] = causal_tokens.make(moment)
    return response


def _streamed(parts: Iterator[bytes], moment: Timestamp | None) -> Iterator[bytes]:
    """Yield the parts, each made in a context of its own: this thread does other work between them."""
    context, stack = copy_context(), ExitStack()
    try:
        context.run(stack.enter_context, reading.after(moment))
        context.run(stack.enter_context, reading.from_secondaries())
        while (part := context.run(next, parts, None)) is not None:
            yield part
    finally:
        context.run(stack.close)
