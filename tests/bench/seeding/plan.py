"""Who and what there is: people, projects, members, labels, all by number, so that no query is needed to find them."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from bson import ObjectId

HOT = 5  # projects with many tasks
HOT_MEMBERS, MEMBERS = 100, 5
WIDTHS = (1, 10, 100, 1000)
SPARSE = 23  # tasks of a person who has few
LABELS = ("bug", "feature", "docs", "ops", "design", "legal", "later", "rare")
LABEL_SHARES = (0.30, 0.15, 0.10, 0.05, 0.05, 0.03, 0.02)  # of all but "rare", which SPARSE tasks of a project have
_PERSON, _PROJECT, _LABEL, _FIELD, _WIDE = range(1, 6)


def _id(kind: int, number: int) -> ObjectId:
    return ObjectId(f"65000000{kind:04x}{number:012x}")


@dataclass(frozen=True)
class Person:
    """A member of the first `width` projects: a busy one has a tenth of the tasks there, a sparse one SPARSE tasks."""

    width: int
    busy: bool

    @property
    def id(self) -> ObjectId:
        return _id(_WIDE, 2 * self.width + self.busy)

    @property
    def name(self) -> str:
        return f"{'busy' if self.busy else 'sparse'}-{self.width}"


@dataclass(frozen=True)
class Plan:
    """A database of so many tasks; each owner has one project, and the first HOT ones are large."""

    tasks: int
    owners: int = 2_000
    share: float = 0.0498  # of all tasks, in each of the HOT projects

    @cached_property
    def people(self) -> list[Person]:
        """Those whose lists are measured."""
        return [Person(width, busy) for width in WIDTHS if width <= self.owners for busy in (True, False)]

    def person(self, name: str) -> Person:
        return next(person for person in self.people if person.name == name)

    def size_of(self, project: int) -> int:
        """Return the number of tasks of a project."""
        hot = int(self.tasks * self.share)
        if project < HOT:
            return hot
        each, more = divmod(self.tasks - HOT * hot, self.owners - HOT)
        return each + (project - HOT < more)

    def members_of(self, project: int) -> list[ObjectId]:
        """Return the members without the people of `people`, the owner first."""
        number = min(HOT_MEMBERS if project < HOT else MEMBERS, self.owners)
        return [user_id((project + step) % self.owners) for step in range(number)]

    def people_of(self, project: int) -> Iterator[Person]:
        return (person for person in self.people if project < person.width)


def user_id(owner: int) -> ObjectId:
    return _id(_PERSON, owner)


def project_id(project: int) -> ObjectId:
    return _id(_PROJECT, project)


def label_id(project: int, name: str) -> ObjectId:
    return _id(_LABEL, project * len(LABELS) + LABELS.index(name))


def field_id(project: int) -> ObjectId:
    return _id(_FIELD, project)


def key_of(project: int) -> str:
    return f"B{project}"
