"""Which process a file belongs to: its id alone does not tell, since another process may have that id later.

That happens after many processes, after a restart, and in each container, whose first process has the id 1. So an
identity is the process id and the time of its start, in ticks after the boot of the machine (proc(5), `stat`, field
22). Where there is no `/proc`, it is the process id alone. Needs only the standard library.
"""

import os
from functools import lru_cache
from pathlib import Path

_FIELD = 19  # of those behind the command's name, which may contain spaces
_FIRST_NAMESPACE = "pid:[4026531836]"  # Linux gives it this number (PROC_PID_INIT_INO)


def own() -> str:
    """Return the identity of this process, `<process id>.<start>`; cheap to call often, and right after a fork."""
    return _identity(os.getpid())


def lives(identity: str) -> bool:
    """Return whether the process with this identity runs. False for what is no identity."""
    if identity == own():
        return True
    pid, _, start = identity.partition(".")
    try:
        os.kill(int(pid), 0)
    except PermissionError:
        pass
    except (OSError, ValueError, OverflowError):
        return False
    return start in ("", _start_of(pid))  # without a start: of a release that knew the process id alone


def namespace() -> str:
    """Return the number of the namespace of process ids, such as that of a container; empty in the machine's own.

    `lives` tells of processes of the same namespace only.
    """
    try:
        found = str(Path("/proc/self/ns/pid").readlink())
    except OSError:
        return ""
    return "" if found == _FIRST_NAMESPACE else found[len("pid:[") : -1]


@lru_cache(maxsize=1)
def _identity(pid: int) -> str:
    start = _start_of("self")  # in a namespace without a `/proc` of its own, `/proc/<pid>` is another process
    return f"{pid}.{start}" if start else str(pid)


def _start_of(process: str) -> str:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[_FIELD]
    except (OSError, IndexError):
        return ""
