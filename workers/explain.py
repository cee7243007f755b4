"""One sentence for the error of a command: never a traceback for a server that is away."""

from mongoengine.errors import MongoEngineException
from pymongo.errors import PyMongoError
from redis.exceptions import RedisError

from taskmanager.core.errors import Invalid, Misconfigured, TaskManagerError, Unavailable
from taskmanager.core.security.redaction import redact
from taskmanager.core.servers import server_checks

_SERVERS = (PyMongoError, MongoEngineException, RedisError, Unavailable)


def explain(error: Exception) -> str | None:
    """Return the sentence, with secret settings redacted; None for a bug."""
    sentence = _sentence(error)
    return sentence and redact(sentence)


def _sentence(error: Exception) -> str | None:
    if isinstance(error, Invalid):
        return str(error.extra["errors"][0]["message"])
    if isinstance(error, _SERVERS) and (sentences := _of_servers()):
        return " ".join(sentences)
    if isinstance(error, TaskManagerError):
        return error.detail
    if isinstance(error, PyMongoError | RedisError):
        kind = "database" if isinstance(error, PyMongoError) else "store"
        return f"The {kind} could not carry out a command ({type(error).__name__}): try again."
    if isinstance(error, OSError) and error.strerror:
        path = f": {error.filename}" if error.filename else ""
        return f"{error.strerror}{path}" + (_OWNER if isinstance(error, PermissionError) else "")
    return None


_OWNER = " (this process must be allowed to write there; in the image it is user 10001)"


def _of_servers() -> list[str]:
    try:
        return [problem.sentence for problem in server_checks.problems()]
    except Misconfigured:  # the command failed before it had settings
        return []
