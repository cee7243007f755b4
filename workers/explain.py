"""One sentence for what goes wrong in a command; never a traceback for a server that is away."""

from mongoengine.errors import MongoEngineException
from pymongo.errors import PyMongoError
from redis.exceptions import RedisError

from taskmanager.core.errors import Invalid, Misconfigured, TaskManagerError, Unavailable
from taskmanager.core.security.redaction import redact
from taskmanager.core.servers import server_checks

_SERVERS = (PyMongoError, MongoEngineException, RedisError, Unavailable)


def explain(error: Exception) -> str | None:
    """Return the sentence, without anything of the settings; None for what is a fault of the program."""
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
        return f"The {kind} did not do what was asked ({type(error).__name__}): try again."
    if isinstance(error, OSError) and error.strerror:
        place = f": {error.filename}" if error.filename else ""
        return f"{error.strerror}{place}" + (_OWNER if isinstance(error, PermissionError) else "")
    return None


_OWNER = " (this process must be allowed to write there; in the image it is user 10001)"


def _of_servers() -> list[str]:
    try:
        return [problem.sentence for problem in server_checks.problems()]
    except Misconfigured:  # it failed before settings were in force
        return []
