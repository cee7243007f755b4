"""Bodies with several forms: each form is a schema of its own in the document, and one schema reads them all."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType


@dataclass(frozen=True)
class Variant:
    """One form of a body. A schema lists its forms in the class attribute `variants`.

    It has the properties of the schema but those in `without`. `fixed` is the value of the schema's discriminator,
    which is the class attribute `discriminator`. `members` are properties that have a schema of another name here. A
    name that is a schema of the document already stands for that.
    """

    name: str
    required: tuple[str, ...] = ()
    without: tuple[str, ...] = ()
    fixed: str | None = None
    members: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
