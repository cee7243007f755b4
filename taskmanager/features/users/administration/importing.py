"""Accounts from a file of comma-separated values (RFC 4180)."""

import csv
import secrets
from collections.abc import Iterable
from typing import NamedTuple

from taskmanager.core.errors import Conflict, Malformed
from taskmanager.core.text import plain_address, trimmed
from taskmanager.features.users import service as users
from taskmanager.features.users.administration.schemas import UserAdminIn
from taskmanager.features.users.models import User

_COLUMNS = ({"email", "name"}, {"email", "name", "role"})
_ROLES = ("user", "admin")
_RULES = UserAdminIn(only=("email", "name"))  # a file makes no account that the API would refuse
MAX_LINES = 100_000


class ImportedUser(NamedTuple):
    """A line of the file, with its number."""

    line: int
    email: str
    name: str
    role: str


def read(file: Iterable[str]) -> list[ImportedUser]:
    """Return the lines of the file. Raises Malformed when its first line does not name the columns."""
    reader = csv.DictReader(file, strict=True)
    try:
        if {name.strip().lower() for name in reader.fieldnames or ()} not in _COLUMNS:
            raise Malformed("The first line must name the columns: email, name and, if any, role.")
        return [_row(reader.line_num, values) for values in reader]
    except (csv.Error, UnicodeDecodeError) as error:
        raise Malformed(f"This is no file of comma-separated values in UTF-8: {error}") from None


def _row(line: int, values: dict[str, str | None]) -> ImportedUser:
    known = {
        str(name).strip().lower(): value.strip() if isinstance(value, str) else "" for name, value in values.items()
    }
    email, name = plain_address(known.get("email", "")), trimmed(known.get("name", ""))
    return ImportedUser(line, email, name, known.get("role") or "user")


def problems(rows: list[ImportedUser]) -> list[str]:
    """Return a sentence for each line that is wrong."""
    if len(rows) > MAX_LINES:
        return [f"There are more than {MAX_LINES} lines."]
    seen: dict[str, int] = {}
    return [f"line {row.line}: {problem}" for row in rows if (problem := _problem(row, seen))]


def _problem(row: ImportedUser, seen: dict[str, int]) -> str | None:
    first = seen.setdefault(row.email, row.line)
    if first != row.line:
        return f"the address is in line {first}, too"
    if row.role not in _ROLES:
        return f"the role must be one of {', '.join(_ROLES)}"
    wrong = _RULES.validate({"email": row.email, "name": row.name})
    return "; ".join(f"{name}: {' '.join(sentences)}" for name, sentences in sorted(wrong.items())) or None


def create(rows: list[ImportedUser]) -> tuple[int, int]:
    """Create the accounts, with passwords that are not told to anyone; return (created, had an account)."""
    created = kept = 0
    for row in rows:
        if User.objects(email=row.email).first() is not None:
            kept += 1
            continue
        try:
            users.make_account(
                email=row.email, password=secrets.token_urlsafe(24), name=row.name, role=row.role, verified=True
            )
            created += 1
        except Conflict:  # it was registered meanwhile
            kept += 1
    return created, kept
