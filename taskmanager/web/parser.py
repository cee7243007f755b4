"""A strict parser of requests: it refuses invalid input before anything is stored.

flask-smorest reads JSON with the standard library and does not check the content type; deep nesting, huge
integers and lone surrogates crash it. This parser replaces its own.
"""

import json
import re
from typing import Any, NoReturn
from urllib.parse import unquote_to_bytes

import marshmallow
import orjson
from flask import Request
from gunicorn.http.errors import ParseException
from webargs.flaskparser import FlaskParser

from taskmanager.core import registry
from taskmanager.core.configuration import settings
from taskmanager.core.errors import Malformed
from taskmanager.core.storage.database import capacity
from taskmanager.web.authentication.context import current_request, request_globals
from taskmanager.web.errors import InvalidRequest, UnsupportedMediaType
from taskmanager.web.requests import keep_body

_FORM_BYTES = 10_000  # of a form beside its files
_MAX_KEPT, _MAX_KEPT_CHARACTERS = 1_000, 200  # of queries that are parsed once
_VARYING = re.compile(b"cursor|now|today|%")  # what is encoded may be a relative time, too
_JSON = "application/json"
_MERGE_PATCH = "application/merge-patch+json"


class StrictParser(FlaskParser):
    """Parses JSON bodies, forms and query strings; raises errors of `core.errors` and `web.errors`."""

    DEFAULT_UNKNOWN_BY_LOCATION = {"json": marshmallow.RAISE, "query": marshmallow.RAISE, "files": marshmallow.RAISE}

    def parse(self, argmap: Any, req: Request | None = None, *, location: str | None = None, **options: Any) -> Any:
        """Return the parsed values; those of a query that this process has parsed before are kept."""
        present = current_request()
        if location != "query" or not _repeats(argmap, present.query_string):
            return super().parse(argmap, req or present, location=location, **options)
        known, key = _queries(), (argmap, present.query_string)
        found = known.get(key)
        if found is None:
            found = super().parse(argmap, req or present, location=location, **options)
            if len(known) >= _MAX_KEPT:
                known.clear()
            known[key] = found
        return dict(found)

    def load_json(self, req: Request, schema: marshmallow.Schema) -> Any:
        """Return the parsed body; without a body an empty object, when the schema allows it.

        Raises UnsupportedMediaType, Malformed; Flask raises 413.
        """
        if getattr(schema, "may_be_left_out", False) and not read_body(req):
            return {}
        if req.mimetype != _JSON and not (req.method == "PATCH" and req.mimetype == _MERGE_PATCH):
            raise UnsupportedMediaType(f"Send the body as {_JSON}.")
        if req.headers.get("Content-Encoding", "identity").strip().lower() != "identity":
            raise UnsupportedMediaType("Send the body without compression.", code="request.unsupported_encoding")
        body = parse(read_body(req))
        keep_body(body)
        return body

    def load_files(self, req: Request, schema: marshmallow.Schema) -> dict[str, Any]:
        """Return the files of a form, each once; large files are on disk. Raises as `load_json`, and InvalidRequest."""
        if req.mimetype != "multipart/form-data":
            raise UnsupportedMediaType("Send the body as multipart/form-data.")
        req.max_content_length = settings.current().attachment_max_bytes + _FORM_BYTES
        try:
            with capacity.release_slot():  # while the client sends
                files, fields = req.files, req.form
        except (OSError, ParseException, ValueError):
            raise Malformed("The form cannot be read to its end.", code="request.incomplete") from None
        known = [*files.keys(), *fields.keys()]
        if fields or any(len(values) > 1 for _, values in files.lists()):
            raise InvalidRequest({"json": {name: ["Send one part for each file, and nothing else."] for name in known}})
        return files.to_dict()

    def load_querystring(self, req: Request, schema: marshmallow.Schema) -> dict[str, str]:
        """Return the query parameters, each at most once. Raises InvalidRequest."""
        return query_parameters(req)

    def handle_error(
        self,
        error: marshmallow.ValidationError,
        req: Request,
        schema: marshmallow.Schema,
        *,
        error_status_code: int | None,
        error_headers: Any,
    ) -> NoReturn:
        raise InvalidRequest(error.messages) from None


@registry.derived  # expansions and filters of plugins are in the registry
def _queries() -> dict[tuple[Any, bytes], dict[str, Any]]:
    """Return the queries of lists and items that were parsed before: {(schema, text): values}."""
    return {}


def _repeats(schema: Any, text: bytes) -> bool:
    """Return whether this text always has these values: not cursors, of which none repeats, and not relative times."""
    return getattr(schema, "is_stable", False) and len(text) < _MAX_KEPT_CHARACTERS and not _VARYING.search(text)


def read_body(req: Request) -> bytes:
    """Return the whole body. Raises Malformed when it is incomplete (broken chunks, a client that disconnects).

    While the client sends, the request holds no slot for the database.
    """
    kept = request_globals()
    try:
        if "body_read" not in kept:
            with capacity.release_slot():
                kept.body_read = req.get_data(cache=True)
        return bytes(kept.body_read)
    except (OSError, ParseException):
        raise Malformed("The body cannot be read to its end.", code="request.incomplete") from None


def parse(body: bytes) -> Any:
    """Parse JSON (RFC 8259) without repeated names (RFC 8259, 4, leaves their meaning open). Raises Malformed."""
    try:
        orjson.loads(body)  # refuses bad UTF-8, lone surrogates, NaN and nesting beyond 1,024
        return json.loads(body, object_pairs_hook=_no_repeats, parse_int=_bounded, parse_float=_representable)
    except RecursionError:
        raise Malformed("The body is nested too deeply.", code="request.too_deep") from None
    except ValueError as error:
        raise Malformed(f"The body is not valid JSON: {error}"[:200]) from None


def query_parameters(req: Request) -> dict[str, str]:
    """Return the query parameters, each at most once. Raises InvalidRequest for what is repeated or not UTF-8."""
    if not req.query_string:
        return {}
    try:
        unquote_to_bytes(req.query_string).decode()
    except UnicodeDecodeError:
        raise InvalidRequest({"query": ["The query is not UTF-8."]}) from None
    repeated = {name: ["Give this parameter once."] for name, values in req.args.lists() if len(values) > 1}
    if repeated:
        raise InvalidRequest({"query": repeated})
    return req.args.to_dict()


def _no_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) < len(pairs):
        raise ValueError("an object has a name twice")
    return result


def _bounded(digits: str) -> int:
    if len(digits) > 20 or not -(2**63) <= (number := int(digits)) < 2**63:
        raise ValueError("an integer does not fit into 64 bits")
    return number


def _representable(number: str) -> float:
    """Refuse a number that a float would silently change: with too many digits, or rounded to zero."""
    value = float(number)
    if len(number) > 30 or (value == 0 and number.lower().partition("e")[0].strip("-0.")):
        raise ValueError("a number has more digits than can be stored")
    return value
