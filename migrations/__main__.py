"""`python -m migrations [--dry-run]`: bring the database of the settings up to date."""

import sys

from config.settings import load
from migrations.runner import run
from taskmanager.core.database import connect, database
from taskmanager.core.errors import TaskManagerError


def main(arguments: list[str]) -> int:
    """Print what was run, or with --dry-run what would be; 1 when it could not."""
    dry_run = "--dry-run" in arguments
    try:
        connect(load())
        names = run(database(), dry_run=dry_run)
    except TaskManagerError as error:
        sys.stderr.write(f"{error.detail}\n")
        return 1
    verb = "would run" if dry_run else "ran"
    sys.stdout.writelines(f"{verb} {name}\n" for name in names)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
