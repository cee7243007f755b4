"""The text of `TASKMANAGER_LOG_LEVELS`."""

LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR")


def parse(text: str) -> dict[str, str]:
    """Return {logger: level} of a text such as `rq.worker=DEBUG,taskmanager.requests=WARNING`. Raises ValueError."""
    found = {}
    for part in filter(None, text.replace(" ", "").split(",")):
        name, _, level = part.partition("=")
        if not name or level not in LEVELS:
            raise ValueError(f"must be a list of logger=LEVEL, with one of {', '.join(LEVELS)}")
        found[name] = level
    return found
