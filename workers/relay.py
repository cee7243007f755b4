"""`python -m workers.relay`: hands committed events to the workers. A second one stands by."""

from taskmanager.core.outbox import relay_batch
from workers.process import LeasedLoop, begin

_IDLE_SECONDS = 0.1


def main() -> None:
    """Relay until SIGTERM or SIGINT."""
    begin()
    LeasedLoop("relay", relay_batch, idle_seconds=_IDLE_SECONDS).run()


if __name__ == "__main__":
    main()
