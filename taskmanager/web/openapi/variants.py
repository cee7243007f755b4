"""Bodies with several forms: each form is a schema of its own in the document, and one schema reads them all."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, ClassVar

import marshmallow as ma
from marshmallow import fields

from taskmanager.web.schemas import Schema


@dataclass(frozen=True)
class Variant:
    """One form of a body. A schema lists its forms in the class attribute `variants`.

    It has the properties of the schema but those in `without`. `fixed` is the value of the schema's discriminator,
    which is the class attribute `discriminator`. `members` are properties that have a schema of another name here,
    those in `nulls` are null here. A name that is a schema of the document already stands for that.
    """

    name: str
    required: tuple[str, ...] = ()
    without: tuple[str, ...] = ()
    fixed: str | None = None
    nulls: tuple[str, ...] = ()
    members: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))

    def fits(self, given: Collection[str]) -> bool:
        """Return whether a body with these properties has this form."""
        return set(self.required) <= set(given) and not set(self.without) & set(given)


class VariantSchema(Schema):
    """A body in one of several forms, which `kind` names.

    The document requires `kind`, as a discriminator must be there for generators of clients; a body without it is
    accepted, as its other properties tell the form.
    """

    discriminator = "kind"
    variants: ClassVar[tuple[Variant, ...]]
    refusal: ClassVar[str]  # the message about a body that has none of the forms

    kind = fields.String(metadata={"description": "The form of this body. The service accepts a body without it, too"})

    @ma.validates_schema
    def has_one_form(self, data: dict[str, Any], **_: object) -> None:
        """Raise ValidationError unless the body has one of the forms, and the one that `kind` names."""
        form = next((one for one in self.variants if one.fits(data)), None)
        if form is None:
            raise ma.ValidationError(self.refusal)
        if data.get("kind", form.fixed) != form.fixed:
            raise ma.ValidationError(f"The other properties are those of {form.fixed}.", "kind")

    @ma.post_load
    def without_kind(self, data: dict[str, Any], **_: object) -> dict[str, Any]:
        """Return the body without the name of its form."""
        return {name: value for name, value in data.items() if name != "kind"}
