"""Which requests secondaries answer: those of an allowed kind whose client says what it has seen, by a causal token.

Without the token the primary answers, because the caller may have written a moment ago. With it the read waits until
the member has what the token names. When a secondary fails, the primary answers the same request; while there is no
primary, secondaries answer on. Exports are read from the primary, because their parts are read while they are sent: a
part that fails could not be read again.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager

from bson.timestamp import Timestamp
from flask import Response
from pymongo.client_session import ClientSession
from pymongo.errors import OperationFailure

from taskmanager.core.configuration import settings
from taskmanager.core.configuration.database_settings import ReplicaRead
from taskmanager.core.errors import Malformed
from taskmanager.core.storage.database import breaker
from taskmanager.core.storage.replicas import causality, reading
from taskmanager.core.telemetry.instruments import REPLICA_READS
from taskmanager.web.consistency import causal_tokens

View = Callable[[], Response]
Using = Callable[[ClientSession], AbstractContextManager[object]]


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
    outcome = "primary"
    if may_answer(kind):
        try:
            response = _after(moment, view, reading.from_secondaries)
            REPLICA_READS.labels("allowed").inc()
            return response
        except reading.MemberFailed as error:
            outcome = "failed"
            if reading.is_fault(error.cause):
                reading.rest(error.cause)
            breaker.check()
    response = _from_primary(moment, view)
    REPLICA_READS.labels(outcome).inc()
    return response


def write(view: View) -> Response:
    """Return the response of a view that writes; with a token of its commit, when secondaries may answer reads.

    A response without a commit, such as one that is repeated for an Idempotency-Key, has a token of the present. A part
    of another request that writes has none: that request has.
    """
    if not settings.current().replica_reads or causality.is_noted():
        return view()
    with causality.noted() as noted:
        response = view()
    return _with_token(response, noted.latest or reading.present())


def _from_primary(moment: Timestamp | None, view: View) -> Response:
    """Return the response of the primary; a token of a time that it has never had counts as none.

    So has one from before the database was restored from a backup.
    """
    try:
        return _after(moment, view, causality.bound)
    except OperationFailure as error:
        if not reading.is_unheard_of(error):
            raise
        return _after(None, view, causality.bound)


def _after(moment: Timestamp | None, view: View, using: Using) -> Response:
    """Return the response of `view`, which reads what was committed until `moment` in the session of `using`."""
    with reading.session_after(moment) as session, using(session):
        response = view()
        seen = max((one for one in (moment, session.operation_time) if one is not None), default=None)
        return _with_token(response, seen)


def _with_token(response: Response, moment: Timestamp | None) -> Response:
    if moment is not None:
        response.headers[causal_tokens.HEADER] = causal_tokens.make(moment)
    return response
