"""Fields of what features and plugins contribute, such as scopes: they are asked for at each use, not at import."""

from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Any

from marshmallow import fields, validate


class LateMetadata(fields.Field[Any]):
    """A field that is documented when the document is made, because features and plugins add to what it takes."""

    _given: Mapping[str, Any] = MappingProxyType({})

    def late_metadata(self) -> dict[str, Any]:
        """Return what is worked out late; it stands before what was given."""
        raise NotImplementedError

    @property
    def metadata(self) -> dict[str, Any]:
        return {**self.late_metadata(), **self._given}

    @metadata.setter
    def metadata(self, given: Mapping[str, Any]) -> None:
        self._given = given


class ContributedName(LateMetadata, fields.String):
    """A name of something that features and plugins contribute, as it is answered. `choices` is asked for them late."""

    def __init__(self, choices: Callable[[], Iterable[str]], **kwargs: Any) -> None:
        self.choices = choices
        super().__init__(**kwargs)

    def late_metadata(self) -> dict[str, Any]:
        return {"enum": list(self.choices())}


class ContributedOneOf(validate.OneOf):
    """One of a few words, to which features and plugins add: they are asked for at each use."""

    def __init__(self, choices: Callable[[], Iterable[str]]) -> None:
        self.ask, self.labels, self.labels_text, self.error = choices, (), "", self.default_message

    @property
    def choices(self) -> Iterable[str]:  # type: ignore[override]
        return list(self.ask())

    @property
    def choices_text(self) -> str:  # type: ignore[override]
        return ", ".join(self.choices)


class ChoiceList(fields.List):
    """Some of a few words, at least one, each kept once. `choices` is asked for them at each use."""

    def __init__(self, choices: Callable[[], Iterable[str]], **kwargs: Any) -> None:
        self.choices = choices
        super().__init__(fields.String(validate=ContributedOneOf(choices)), validate=validate.Length(1, 100), **kwargs)

    @property
    def documented(self) -> dict[str, Any]:
        """Return what the OpenAPI document says of it beside its validators."""
        return {"example": [next(iter(self.choices()))], "minItems": 1, "maxItems": 100}

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> list[str]:  # type: ignore[override]
        words: list[Any] = super()._deserialize(value, attr, data, **kwargs)
        return list(dict.fromkeys(words))
