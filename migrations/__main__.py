"""`python -m migrations [--dry-run|--check] [--expand]`: `taskmanager migrate` without an installation."""

import sys

from config.settings import load
from migrations.command import migrate
from taskmanager.core.errors import TaskManagerError


def main(arguments: list[str]) -> int:
    """Run, list or check the migrations; return the exit code of `migrations.command`."""
    options = {"dry_run": "--dry-run" in arguments, "check": "--check" in arguments}
    options["expand"] = "--expand" in arguments
    try:
        return migrate(load(), say=lambda line: print(line, flush=True), **options)  # noqa: T201 what it is for
    except TaskManagerError as error:
        sys.stderr.write(f"{error.detail}\n")
        return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
