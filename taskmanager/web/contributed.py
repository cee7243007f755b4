"""Schema fields for names that features and plugins contribute, such as scopes: evaluated at use, not at import."""

from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Any

from marshmallow import fields, validate


class LateMetadata(fields.Field[Any]):
    """A field whose metadata are computed when the document is made, because plugins add to its values."""

    _given: Mapping[str, Any] = MappingProxyType({})

    def late_metadata(self) -> dict[str, Any]:
        """Return the computed metadata; the metadata of the constructor replace them."""
        raise NotImplementedError

    @property
    def metadata(self) -> dict[str, Any]:
        return {**self.late_metadata(), **self._given}

    @metadata.setter
    def metadata(self, given: Mapping[str, Any]) -> None:
        self._given = given


class ContributedName(LateMetadata, fields.String):
    """A contributed name in responses. `choices` returns the possible names, when the document is made."""

    def __init__(self, choices: Callable[[], Iterable[str]], **kwargs: Any) -> None:
        self.choices = choices
        super().__init__(**kwargs)

    def late_metadata(self) -> dict[str, Any]:
        return {"enum": list(self.choices())}


class ContributedOneOf(validate.OneOf):
    """A validator for one of several words, to which features and plugins add: evaluated at each use."""

    def __init__(self, choices: Callable[[], Iterable[str]]) -> None:
        self.load_choices, self.labels, self.labels_text, self.error = choices, (), "", self.default_message

    @property
    def choices(self) -> Iterable[str]:  # type: ignore[override]
        return list(self.load_choices())

    @property
    def choices_text(self) -> str:  # type: ignore[override]
        return ", ".join(self.choices)


class ChoiceList(fields.List):
    """A list of at least one of several words, without duplicates. `choices` is called at each use."""

    def __init__(self, choices: Callable[[], Iterable[str]], **kwargs: Any) -> None:
        self.choices = choices
        super().__init__(fields.String(validate=ContributedOneOf(choices)), validate=validate.Length(1, 100), **kwargs)

    @property
    def documented(self) -> dict[str, Any]:
        """Return the OpenAPI properties beside those of its validators."""
        return {"example": [next(iter(self.choices()))], "minItems": 1, "maxItems": 100}

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> list[str]:  # type: ignore[override]
        words: list[Any] = super()._deserialize(value, attr, data, **kwargs)
        return list(dict.fromkeys(words))
