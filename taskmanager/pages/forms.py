"""Forms of pages: their fields, and what is shown when one is not right. Nothing that was typed is lost."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import marshmallow as ma
from flask import Response, request

from taskmanager.core.errors import TaskManagerError
from taskmanager.core.localization.languages import gettext, marked
from taskmanager.features.users.passwords import MAX_CHARACTERS, MIN_CHARACTERS
from taskmanager.pages import cookies, errors, rendering
from taskmanager.web.errors import status_of
from taskmanager.web.schemas import Email

_OF_FORMS = frozenset({"next", cookies.FIELD})  # fields of each form that logs in
_HINT = marked("This is not valid.")
_HINTS = {
    "email": marked("Enter a mail address, such as ada@example.com."),
    "name": marked("Enter a name of at most 200 characters."),
    "password": marked("Use %(least)s to %(most)s characters."),
    "code": marked("Enter the six digits that your app shows, or a recovery code."),
}


@dataclass(frozen=True)
class PageField:
    """One field: `kind` and `autocomplete` are those of HTML."""

    name: str
    label: str
    kind: str = "text"
    autocomplete: str = "off"
    hint: str = ""
    value: str = ""
    wrong: str = ""  # what is wrong with its value
    required: bool = True


@dataclass(frozen=True)
class PageForm:
    """A page with a form; `action` is the path of the page that it is sent to."""

    title: str
    button: str
    action: str
    text: tuple[str, ...] = ()
    fields: tuple[PageField, ...] = ()
    hidden: Mapping[str, str] = field(default_factory=dict)
    links: tuple[tuple[str, str], ...] = ()  # (text, path)


class InvalidForm(Exception):
    """Some fields are not right; `wrong` has a sentence for each."""

    def __init__(self, wrong: Mapping[str, str]) -> None:
        super().__init__()
        self.wrong = wrong


def show(form: PageForm, status: int = 200, *, problem: tuple[str, ...] = ()) -> Response:
    """Return the page with the form, and with what went wrong above it."""
    return rendering.render("form.html", status, form=form, problem=problem)


def ask(title: str, text: tuple[str, ...], button: str, action: str, **hidden: str) -> Response:
    """Return a page that asks whether to do something."""
    return show(PageForm(title, button, action, text, hidden=hidden))


def tell(title: str, *text: str, links: tuple[tuple[str, str], ...] = (), status: int = 200) -> Response:
    """Return a page that says something."""
    return rendering.render("message.html", status, title=title, text=text, links=links)


def read(schema: type[ma.Schema]) -> dict[str, Any]:
    """Return the fields of the form that a schema of the API takes. Raises InvalidForm."""
    known = schema().load_fields
    sent = {name: request.form[name] for name in known.keys() & request.form.keys()}
    given = {name: value for name, value in sent.items() if value or known[name].required}
    try:
        loaded: dict[str, Any] = schema().load(given)
    except ma.ValidationError as error:
        raise InvalidForm({str(name): _wrong(str(name)) for name in error.normalized_messages()}) from None
    return loaded


def attempt(
    form: PageForm, action: Callable[[], Response], *, explained: tuple[type[TaskManagerError], ...] = ()
) -> Response:
    """Return the response of an action; the form again, with what was typed, for errors that the user can correct.

    Of errors of the types `explained` the reader sees their own words.
    """
    try:
        return action()
    except InvalidForm as error:
        return show(_again(form, error.wrong), 422)
    except TaskManagerError as error:
        status, listed = status_of(error), error.extra.get("errors") or ()
        if isinstance(error, explained):
            return _refused(_again(form, {}), status, error, (error.detail,))
        wrong = {one["location"].rpartition(".")[2]: errors.message(status, one["code"]) for one in listed}
        if not wrong and not errors.is_known(error.code):
            raise
        return _refused(_again(form, wrong), status, error, () if wrong else (errors.message(status, error.code),))


def _refused(form: PageForm, status: int, error: TaskManagerError, problem: tuple[str, ...]) -> Response:
    seconds = getattr(error, "retry_after", 0)
    response = show(form, status, problem=(*problem, *([errors.waiting(seconds)] if seconds else ())))
    if seconds:
        response.headers["Retry-After"] = str(seconds)
    return response


def _again(form: PageForm, wrong: Mapping[str, str]) -> PageForm:
    """Return the form with what was typed, but for secrets."""
    return replace(form, fields=tuple(_typed(one, wrong.get(one.name, "")) for one in form.fields))


def _typed(one: PageField, wrong: str) -> PageField:
    typed = one.value if one.kind == "password" or one.name == "code" else request.form.get(one.name, one.value)
    return replace(one, value=typed, wrong=wrong)


def _wrong(name: str) -> str:
    return gettext(_HINTS.get(name, _HINT), least=MIN_CHARACTERS, most=MAX_CHARACTERS)


def can_ask_for(schema: type[ma.Schema]) -> bool:
    """Return whether a form can ask for all that a schema needs: texts, under names that are free."""
    fields = schema().load_fields
    needed = (one for one in fields.values() if one.required)
    is_free = _OF_FORMS.isdisjoint(fields) and not any(one.data_key for one in fields.values())
    return is_free and all(isinstance(one, ma.fields.String) for one in needed)


def fields_of(schema: type[ma.Schema]) -> tuple[PageField, ...]:
    """Return a field for each text of a schema, with the `title` and `description` of its metadata."""
    taken = schema().load_fields
    texts = {name: one for name, one in taken.items() if isinstance(one, ma.fields.String)}
    return tuple(_field_of(name, one) for name, one in texts.items())


def _field_of(name: str, field: ma.fields.String) -> PageField:
    if isinstance(field, Email):
        return replace(email_field(), name=name, required=field.required)
    title = field.metadata.get("title") or name.replace("_", " ").capitalize()
    kind = "password" if field.metadata.get("format") == "password" else "text"
    return PageField(name, title, kind, hint=field.metadata.get("description", ""), required=field.required)


def email_field(value: str = "") -> PageField:
    """Return the field of an address."""
    return PageField("email", gettext("Mail address"), "email", "username", value=value)


def new_password_field() -> PageField:
    """Return the field of a new password."""
    hint = gettext(_HINTS["password"], least=MIN_CHARACTERS, most=MAX_CHARACTERS)
    return PageField("password", gettext("New password"), "password", "new-password", hint=hint)


def seen_revision() -> int:
    """Return the revision that the form was made from; 0, which nothing has, for another text."""
    text = request.form.get("revision", "")
    return int(text) if text.isdecimal() and len(text) < 19 else 0
