"""The catalogue of error codes: what each `code` of an error means, why it occurs, and what to do about it.

Features and plugins declare theirs in `errors` of their Feature. Each code has a page at `/docs/errors/<code>`, which
`type` of an error names, and stands in the document at the operations that return it.
"""

from dataclasses import dataclass

from taskmanager.core.registry import Part


@dataclass(frozen=True)
class ErrorCode:
    """One code. `title` says in a few words what happened, `why` when that is so, `remedy` what the client can do.

    `operations` are ids of operations, separated by spaces; none means that the conventions of all routes return it,
    and `*` before them that they do too; `-` stands for the pages for people, which are no operations.
    `item`: the code stands in `errors` of a 422 whose own code is `validation.failed`. `also` is a second status.
    """

    name: str
    status: int
    title: str
    why: str
    remedy: str
    operations: str = ""
    item: bool = False
    also: int | None = None

    @property
    def is_conventional(self) -> bool:
        """Return whether the conventions of all routes return it."""
        return not self.item and (not self.operations or self.operations.startswith("*"))

    @property
    def statuses(self) -> tuple[int, ...]:
        """Return the statuses of the responses that have this code."""
        return (self.status,) if self.also is None else (self.status, self.also)


ERROR_CODES: Part[ErrorCode] = Part("errors")


def invalid(
    name: str, title: str, why: str, remedy: str, operations: str = "", *, also: int | None = None
) -> ErrorCode:
    """Return the code of an item in `errors` of a 422."""
    return ErrorCode(name, 422, title, why, remedy, operations, item=True, also=also)
