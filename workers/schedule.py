"""`python -m workers.schedule`: runs periodic jobs at their time. A second one stands by."""

from taskmanager.core.schedule import run_due
from workers.process import LeasedLoop, begin

_IDLE_SECONDS = 1.0


def main() -> None:
    """Run what is due until SIGTERM or SIGINT."""
    begin()
    LeasedLoop("schedule", run_due, idle_seconds=_IDLE_SECONDS).run()


if __name__ == "__main__":
    main()
