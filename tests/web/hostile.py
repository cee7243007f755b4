"""The table of bad input. To add a case, add a line; `test_hostile.py` sends each and looks at what it left behind.

Paths are templates: `{task}`, `{project}`, `{user}` are ids of what the caller owns. `statuses` are those that
are right; a success is among them where the input is odd but good.
"""

import gzip
import json
from collections.abc import Iterator
from typing import Any, NamedTuple

JSON = "application/json"
PATCH = "application/merge-patch+json"

TASKS = "/api/v1/projects/{project}/tasks"
TASK = "/api/v1/tasks/{task}"
PROJECT = "/api/v1/projects/{project}"
MEMBERS = "/api/v1/projects/{project}/members"
LOGIN = "/api/v1/auth/login"
REGISTER = "/api/v1/auth/register"
REFRESH = "/api/v1/auth/refresh"
ME = "/api/v1/users/me"


class Case(NamedTuple):
    """One request. `path` is raw, with its query, as it stands in the request line."""

    name: str
    method: str
    path: str
    statuses: tuple[int, ...]
    body: bytes = b""
    headers: dict[str, str] = {}  # never changed


def _json(value: Any) -> bytes:
    return json.dumps(value).encode()


def _post(name: str, path: str, body: bytes, *statuses: int, **headers: str) -> Case:
    named = {"Content-Type": JSON} | {key.replace("_", "-"): value for key, value in headers.items()}
    return Case(name, "POST", path, statuses, body, named)


def _patch(name: str, path: str, body: bytes, *statuses: int, **headers: str) -> Case:
    named = {"Content-Type": PATCH, "If-Match": "*"} | {key.replace("_", "-"): value for key, value in headers.items()}
    return Case(name, "PATCH", path, statuses, body, named)


# --- bodies that are no JSON, or more than JSON ---------------------------------------------------------------

_RAW_BODIES: dict[str, bytes] = {
    "empty": b"",
    "spaces": b"   ",
    "no json": b"hello",
    "form": b"title=a",
    "cut short": b'{"title": "a',
    "trailing comma": b'{"title": "a",}',
    "two documents": b'{"title": "a"}{"title": "b"}',
    "comment": b'{"title": "a" /* b */}',
    "single quotes": b"{'title': 'a'}",
    "byte order mark": b'\xef\xbb\xbf{"title": "a"}',
    "utf-16": '{"title": "a"}'.encode("utf-16"),
    "utf-32": '{"title": "a"}'.encode("utf-32"),
    "bad utf-8": b'{"title": "\xff\xfe"}',
    "overlong utf-8": b'{"title": "\xc0\xaf"}',
    "utf-8 surrogate": b'{"title": "\xed\xa0\x80"}',
    "cut utf-8": b'{"title": "\xe2\x82"}',
    "lone surrogate": b'{"title": "\\ud800"}',
    "lone low surrogate": b'{"title": "a\\udfffb"}',
    "lone surrogate as a name": b'{"\\ud800": 1}',
    "raw NUL": b'{"title": "a\x00b"}',
    "raw line break": b'{"title": "a\nb"}',
    "bad escape": b'{"title": "\\x41"}',
    "deep arrays": b"[" * 100_000,
    "deep arrays closed": b"[" * 100_000 + b"]" * 100_000,
    "deep objects": b'{"a":' * 100_000,
    "deep objects closed": b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
    "deep inside a field": b'{"title": "a", "assignee_ids": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "deep at the parser's edge": b'{"title": "a", "x": ' + b"[" * 1022 + b"]" * 1022 + b"}",
    "NaN": b'{"title": "a", "estimate_minutes": NaN}',
    "Infinity": b'{"title": "a", "estimate_minutes": Infinity}',
    "-Infinity": b'{"title": "a", "estimate_minutes": -Infinity}',
    "1e400": b'{"title": "a", "estimate_minutes": 1e400}',
    "1e-400": b'{"title": "a", "estimate_minutes": 1e-400}',
    "2**63": b'{"title": "a", "estimate_minutes": 9223372036854775808}',
    "2**64": b'{"title": "a", "estimate_minutes": 18446744073709551616}',
    "-2**63-1": b'{"title": "a", "estimate_minutes": -9223372036854775809}',
    "5,000 digits": b'{"title": "a", "estimate_minutes": ' + b"9" * 5000 + b"}",
    "5,000 digits alone": b"9" * 5000,
    "5,000 digits in an unknown field": b'{"title": "a", "x": ' + b"9" * 5000 + b"}",
    "5,000 decimals": b'{"title": "a", "estimate_minutes": 1.' + b"9" * 5000 + b"}",
    "leading zero": b'{"title": "a", "estimate_minutes": 01}',
    "plus sign": b'{"title": "a", "estimate_minutes": +1}',
    "hexadecimal": b'{"title": "a", "estimate_minutes": 0x10}',
    "duplicate names": b'{"title": "a", "title": "b"}',
    "duplicate names, escaped": b'{"title": "a", "\\u0074itle": "b"}',
    "duplicate names, nested": b'{"title": "a", "x": {"y": 1, "y": 2}}',
    "gzip without saying so": gzip.compress(b'{"title": "a"}'),
    "17 MB": b'{"title": "' + b"a" * 17_000_000 + b'"}',
    "17 MB of spaces": b" " * 17_000_000,
    "many names": b"{" + b",".join(b'"n%d":1' % number for number in range(50_000)) + b"}",
}

# --- JSON of the wrong shape ----------------------------------------------------------------------------------

_SHAPES: dict[str, Any] = {
    "null": None,
    "true": True,
    "number": 1,
    "string": "title",
    "array": [],
    "array of objects": [{"title": "a"}],
    "empty object": {},
    "empty name": {"": "a"},
    "unknown": {"title": "a", "nonsense": 1},
    "server's own": {"title": "a", "revision": 7},
    "id": {"title": "a", "id": "0" * 24},
    "_id": {"title": "a", "_id": "0" * 24},
    "key": {"title": "a", "key": "APP-1"},
    "project_id": {"title": "a", "project_id": "0" * 24},
    "reporter_id": {"title": "a", "reporter_id": "0" * 24},
    "deleted_at": {"title": "a", "deleted_at": "2026-01-01T00:00:00Z"},
    "_cls": {"title": "a", "_cls": "User"},
    "$where": {"title": "a", "$where": "sleep(1000)"},
    "$set": {"$set": {"title": "b"}},
    "dotted": {"title": "a", "a.b": 1},
    "keyword": {"title": "a", "title__ne": None},
    "prototype": {"title": "a", "__proto__": {"x": 1}},
    "dunder": {"title": "a", "__class__": "x"},
}

_STRANGE: dict[str, Any] = {
    "null": None,
    "true": True,
    "false": False,
    "zero": 0,
    "negative": -1,
    "number": 7,
    "float": 1.5,
    "whole float": 5.0,
    "huge": 2**62,
    "string": "5",
    "empty": "",
    "blank": " \t\n ",
    "NUL": "a\x00b",
    "escape": "a\x1b[31mb",
    "delete": "a\x7fb",
    "C1": "a\x85b",
    "line break": "a\r\nBcc: x@example.com",
    "line separator": "a\u2028b",
    "array": ["a"],
    "empty array": [],
    "object": {"a": 1},
    "$ne": {"$ne": None},
    "$gt": {"$gt": ""},
    "$regex": {"$regex": ".*"},
    "_cls": {"_cls": "User"},
    "nested arrays": [[[[]]]],
    "long": "x" * 60_000,
    "not an id": "x" * 24,
    "id in capitals": "A" * 24,
    "unknown id": "0" * 24,
    "array of ids unknown": ["0" * 24],
    "array with null": [None],
    "array of numbers": [1, 2],
    "array of objects": [{"$ne": None}],
    "long array": ["0" * 24] * 20_000,
    "many ids": [f"{number:024x}" for number in range(51)],
}

# Field → names of the values above that it may take.
_TASK_FIELDS: dict[str, set[str]] = {
    "title": {"string", "not an id", "id in capitals", "unknown id"},
    "description": {"null", "string", "empty", "blank", "line break", "line separator"}
    | {"not an id", "id in capitals", "unknown id"},
    "status": set(),
    "priority": set(),
    "assignee_ids": {"empty array"},
    "start_at": {"null"},
    "due": {"null"},
    "estimate_minutes": {"null", "zero", "number", "whole float"},
}

# --- times ----------------------------------------------------------------------------------------------------

_TIMES: dict[str, bool] = {  # text → whether `start_at` may take it
    "0000-01-01T00:00:00Z": False,
    "0001-01-01T00:00:00Z": False,
    "0001-01-01T00:00:00+23:59": False,
    "0001-01-01T00:00:00-23:59": False,
    "0001-01-02T00:00:00Z": False,
    "1899-12-31T23:59:59Z": False,
    "1900-01-01T00:00:00+23:59": True,
    "1900-02-29T00:00:00Z": False,
    "2200-12-31T23:59:59.999Z": True,
    "2200-12-31T23:59:59-23:59": True,
    "2201-01-01T00:00:00Z": False,
    "9999-12-29T23:59:59.999Z": False,
    "9999-12-31T23:59:59.999999Z": False,
    "9999-12-31T23:59:59-23:59": False,
    "9999-12-31T23:59:59+23:59": False,
    "10000-01-01T00:00:00Z": False,
    "-0001-01-01T00:00:00Z": False,
    "+2026-01-01T00:00:00Z": False,
    "2026-02-29T00:00:00Z": False,
    "2024-02-29T00:00:00Z": True,
    "2026-02-30T00:00:00Z": False,
    "2026-13-01T00:00:00Z": False,
    "2026-00-01T00:00:00Z": False,
    "2026-01-00T00:00:00Z": False,
    "2026-01-01T24:00:00Z": False,
    "2026-01-01T23:59:60Z": False,
    "2026-01-01T00:60:00Z": False,
    "2026-01-01T00:00:00+24:00": False,
    "2026-01-01T00:00:00+99:99": False,
    "2026-01-01T00:00:00-00:00": True,
    "2026-01-01T00:00:00": False,
    "2026-01-01T00:00Z": False,
    "2026-01-01": False,
    "2026-W01-1": False,
    "2026-001": False,
    "20260101T000000Z": False,
    "2026-01-01 00:00:00Z": False,
    "2026-01-01t00:00:00z": True,
    "2026-01-01T00:00:00.1234567890Z": False,
    "2026-01-01T00:00:00.123456789Z": True,
    "2026-01-01T00:00:00.Z": False,
    "2026-01-01T00:00:00,5Z": False,
    "2026-01-01T00:00:00Z\n": False,
    "2026-01-01T00:00:00Z ": False,
    "\u0662\u0660\u0662\u0666-\u0660\u0661-\u0660\u0661T00:00:00Z": False,
    "now": False,
    "1767225600": False,
    "P1D": False,
}
_DUES = {  # what differs for `due`, which also takes days and local times
    "0001-01-01": False,
    "0001-01-02": False,
    "1899-12-31": False,
    "1900-01-01": True,
    "2200-02-29": False,
    "2200-12-31": True,
    "2201-01-01": False,
    "9999-12-29": False,
    "9999-12-31": False,
    "2026-01-01": True,
    "2026-02-29": False,
    "2026-01-01T00:00:00": True,
    "2026-01-01T00:00Z": True,
    "2026-01-01T00:00": True,
    "0001-01-01T00:00": False,
    "9999-12-31T23:59:59": False,
    "2026-01-01t00:00:00z": False,
    "2026-01-01T00:00:00.123456789Z": False,
    "\u0662\u0660\u0662\u0666-\u0660\u0661-\u0660\u0661": False,
    "2026-01-01T": False,
    "2026-01-01+01:00": False,
}

# --- query strings, raw ---------------------------------------------------------------------------------------

_QUERIES: dict[str, tuple[int, ...]] = {
    "nonsense=1": (422,),
    "filter[$ne]=1": (422,),
    "title__ne=a": (422,),
    "limit=0": (422,),
    "limit=-1": (422,),
    "limit=201": (422,),
    "limit=1.5": (422,),
    "limit=1e2": (422,),
    "limit=0x10": (422,),
    "limit=1_0": (422,),
    "limit=%2B5": (422,),
    "limit=%205": (422,),
    "limit=%D9%A5": (422,),
    "limit=": (422,),
    "limit": (422,),
    "limit=true": (422,),
    "limit=" + "9" * 5000: (422,),
    "limit=1&limit=2": (422,),
    "limit=5&limit=5": (422,),
    "limit[]=5": (422,),
    "sort=description": (422,),
    "sort=": (422,),
    "sort=--due_at": (422,),
    "sort=-due_at,priority": (200,),
    "sort=priority,priority": (422,),
    "sort=custom_fields.$where": (422,),
    "sort=custom_fields.a.b": (422,),
    "sort=due_at&sort=priority": (422,),
    "sort=_id": (422,),
    "sort=$natural": (422,),
    "fields=": (422,),
    "fields=id,": (422,),
    "fields=,": (422,),
    "fields=_id": (422,),
    "fields=password_hash": (422,),
    "filter=": (422,),
    "filter=deleted_at is null": (422,),
    "filter=status = open&filter=status = done": (422,),
    "fields=id,id": (200, 422),
    "fields=" + ",".join(["id"] * 1500): (200, 422),
    "fields=title.x": (422,),
    "fields=$title": (422,),
    "with_total=1": (422,),
    "with_total=True": (422,),
    "with_total=maybe": (422,),
    "with_total=": (422,),
    "cursor=": (422,),
    "cursor=x": (400,),
    "cursor=x.y": (400,),
    "cursor=.x.y": (400,),
    "cursor=....": (400,),
    "cursor=%00": (400,),
    "cursor=%F0%9F%92%A9": (400,),
    "cursor=" + "A" * 1900: (400,),
    "cursor=" + "A" * 2001: (422,),
    "cursor=W10.x": (400,),
    "cursor=bnVsbA.": (400,),
    "cursor[$ne]=x": (422,),
    "limit=%zz": (422,),
    "limit=%": (422,),
    "limit=%5": (422,),
    "fields=id%": (422,),
    "%zz=1": (422,),
    "limit=%ff": (422,),
    "%ff=1": (422,),
    "limit=%ED%A0%80": (422,),
    "limit=1%00": (422,),
    "=": (422, 200),
    "=1": (422,),
    "&&&": (200,),
    ";": (422,),
    "limit=5;sort=due_at": (422,),
    "?limit=5": (422,),
    "&".join(f"n{number}=1" for number in range(1500)): (422,),
}

# --- paths ----------------------------------------------------------------------------------------------------

_PATHS: dict[str, tuple[int, ...]] = {
    "/": (200,),
    "//": (200,),
    "/api": (404,),
    "/api/v1": (200,),
    "/api/v1/": (200,),
    "/api/v2/tasks": (404,),
    "/API/V1/TASKS": (404,),
    "/api/v1/nothing": (404,),
    "/api/v1/tasks/": (200, 404),
    "/api/v1//tasks": (404,),
    "//api/v1/tasks": (200, 404),  # werkzeug drops slashes at the beginning
    "/api/v1/tasks//": (404,),
    "/api/v1/tasks/x": (404,),
    "/api/v1/tasks/0": (404,),
    "/api/v1/tasks/-1": (404,),
    "/api/v1/tasks/" + "0" * 24: (404,),
    "/api/v1/tasks/" + "0" * 23: (404,),
    "/api/v1/tasks/" + "0" * 25: (404,),
    "/api/v1/tasks/" + "f" * 24: (404,),
    "/api/v1/tasks/" + "g" * 24: (404,),
    "/api/v1/tasks/" + "A" * 24: (404,),
    "/api/v1/tasks/{task}/": (200, 404),
    "/api/v1/tasks/{task}x": (404,),
    "/api/v1/tasks/{task}%00": (404,),
    "/api/v1/tasks/{task}%0a": (404,),
    "/api/v1/tasks/{task}%20": (404,),
    "/api/v1/tasks/{task}%2F": (200, 404),
    "/api/v1/tasks/{task}/nothing": (404,),
    "/api/v1/tasks/{project}": (404,),
    "/api/v1/projects/{task}": (404,),
    "/api/v1/projects/{task}/tasks": (404,),
    "/api/v1/projects/{project}/members/{project}": (404,),
    "/api/v1/projects/{project}/members/me": (404,),
    "/api/v1/tasks%2F{task}": (200, 404),
    "/api/v1/tasks/..%2f..%2fusers": (404,),
    "/api/v1/tasks/../users/me": (404,),
    "/api/v1/tasks/%2e%2e/users/me": (404,),
    "/api/v1/tasks/%ff": (404,),
    "/api/v1/tasks/%ed%a0%80": (404,),
    "/api/v1/tasks/%zz": (404,),
    "/api/v1/tasks/%": (404,),
    "/api/v1/tasks/%00": (404,),
    "/api/v1/tasks/%0d%0aX-Evil:%201": (404,),
    "/api/v1/tasks/%E2%80%A8": (404,),
    "/api/v1/tasks/[$ne]=1": (404,),
    "/api/v1/tasks/" + "x" * 7000: (404,),
    "/api/v1/" + "a/" * 3000: (404,),
    "/docs/assets/1/..%2f..%2f..%2fetc%2fpasswd": (404,),
    "/docs/assets/1/../../../etc/passwd": (404,),
    "/docs/assets/1/%00": (404,),
    "/docs/assets/1/": (404,),
    "/docs/nothing": (404,),
    "/health/nothing": (404,),
    "/.well-known/nothing": (404,),
    "/.env": (404,),
    "/metrics/../api": (404,),
}

_METHODS: dict[str, tuple[str, ...]] = {  # path → methods that it does not have
    "/api/v1/tasks": ("POST", "PUT", "PATCH", "DELETE"),
    TASK: ("POST", "PUT"),
    TASKS: ("PUT", "PATCH", "DELETE"),
    ME: ("POST", "PUT"),
    LOGIN: ("GET", "PUT", "PATCH", "DELETE", "HEAD"),
    "/health/live": ("POST", "PUT", "DELETE"),
    "/api/v1/openapi.json": ("POST", "DELETE"),
    "/docs": ("POST", "DELETE"),
}
_ODD_METHODS = ("TRACE", "TRACK", "PROPFIND", "CONNECT", "FOO", "PURGE", "QUERY", "X" * 40)

# --- headers --------------------------------------------------------------------------------------------------

_TYPES: dict[str, tuple[int, ...]] = {
    "": (415,),
    "text/plain": (415,),
    "text/json": (415,),
    "application/xml": (415,),
    "application/x-www-form-urlencoded": (415,),
    "multipart/form-data": (415,),
    "multipart/form-data; boundary=": (415,),
    "application/octet-stream": (415,),
    "application/json-patch+json": (415,),
    "application/vnd.api+json": (415,),
    "application": (415,),
    "/": (415,),
    "json": (415,),
    ";": (415,),
    "*/*": (415,),
    "application/json, text/plain": (415,),
    "APPLICATION/JSON": (201,),
    "application/json;charset=utf-8": (201,),
    "application/json; charset=UTF-8": (201,),
    'application/json; charset="utf-8"': (201,),
    "application/json; charset=utf-16": (201, 415),
    "application/json; charset=nonsense": (201, 415),
    "application/json; charset=": (201, 415),
    "application/json; x=" + "y" * 4000: (201, 415),
}

_ENCODINGS = ("gzip", "br", "zstd", "deflate", "identity, gzip", "nonsense", "gzip, gzip")

_IF_MATCHES: dict[str, tuple[int, ...]] = {
    "": (412, 428),
    " ": (412, 428),
    "1": (412,),
    '"': (412,),
    '""': (412,),
    '"0"': (412,),
    '"2"': (412,),
    '"-1"': (412,),
    '"1.0"': (412,),
    '"01"': (412,),
    '"1 "': (412,),
    '"\xb9"': (412,),
    '"1:evil"': (412,),
    '"' + "9" * 5000 + '"': (412,),
    'W/"1"': (200,),
    'W/"2"': (412,),
    'w/"1"': (412,),
    '"nonsense"': (412,),
    "**": (412,),
    '*, "1"': (200, 412),
    '"1", *': (200, 412),
    ",,,": (412,),
    ",".join(f'"{number}"' for number in range(2, 1500)): (412,),
    '"1"': (200,),
    ' "1" ': (200,),
    '"7", "1"': (200,),
    '"1:gzip"': (200,),
    '"1:br"': (200,),
    '"1:zstd"': (200,),
    "*": (200,),
}

_IF_NONE_MATCHES = ("", '"', '""', "x", '"' + "x" * 5000 + '"', "W/", 'W/""', ",,,", '"\xff"', '"0"', "\x7f")

_IDEMPOTENCY_KEYS: dict[str, tuple[int, ...]] = {
    "": (400,),
    '""': (400,),
    '"': (400,),
    '"a': (400,),
    'a"b': (400,),
    '"a"b"': (400,),
    "a b": (400,),
    "\xff": (400,),
    "x" * 256: (400,),
    '"' + "x" * 256 + '"': (400,),
    '"x", "y"': (400,),
    "x" * 255: (201,),
    '"a b"': (201,),
    "{$ne:null}": (201,),
}

_ACCEPTS: dict[str, tuple[int, ...]] = {
    "text/html": (406,),
    "image/*": (406,),
    "application/xml": (406,),
    "nonsense": (406,),
    "application/json;q=0": (406,),
    "*/*;q=0": (406,),
    "": (200,),
    ",": (200, 406),
    "*/*": (200,),
    "application/*": (200,),
    "application/json": (200,),
    "application/problem+json": (200,),
    "text/html, */*;q=0.1": (200,),
    "application/json;q=nonsense": (200, 406),
    "application/json;q=1e400": (200, 406),
    "application/json;version=2": (200, 406),
    ",".join(["a/b"] * 1500): (406,),
}

_ODD_HEADERS: dict[str, dict[str, str]] = {
    "request id with spaces": {"X-Request-ID": "a b"},
    "request id with a line break": {"X-Request-ID": "a%0d%0ab"},
    "request id, huge": {"X-Request-ID": "x" * 8000},
    "request id, not ASCII": {"X-Request-ID": "\xff"},
    "request id, markup": {"X-Request-ID": "<script>"},
    "request id, empty": {"X-Request-ID": ""},
    "traceparent, nonsense": {"traceparent": "x"},
    "traceparent, huge": {"traceparent": "0" * 8000},
    "accept-encoding, nonsense": {"Accept-Encoding": "nonsense;q=x, *;q=0, gzip;q=1e400"},
    "accept-encoding, long": {"Accept-Encoding": "gzip," * 1500},
    "accept-language, nonsense": {"Accept-Language": "\xff;q=x"},
    "range": {"Range": "bytes=0-1,5-2,-"},
    "if-modified-since": {"If-Modified-Since": "nonsense"},
    "if-unmodified-since": {"If-Unmodified-Since": "Mon, 99 Foo 0000 99:99:99 GMT"},
    "if-range": {"If-Range": '"'},
    "cookie": {"Cookie": "session=" + "x" * 4000 + "; =; a=\xff"},
    "host, strange": {"Host": "evil.example.com:99999"},
    "host, empty": {"Host": ""},
    "forwarded": {"X-Forwarded-For": "' OR 1=1, \xff", "X-Forwarded-Proto": "x", "X-Forwarded-Host": "\xff"},
    "method override": {"X-HTTP-Method-Override": "DELETE"},
    "origin": {"Origin": "https://evil.example.com"},
    "user agent": {"User-Agent": "\xff" * 2000},
    "content type on a GET": {"Content-Type": "nonsense/\xff"},
    "expect": {"Expect": "nonsense"},
    "prefer": {"Prefer": "x" * 4000},
}

# --- accounts -------------------------------------------------------------------------------------------------

_ADDRESSES: dict[str, Any] = {
    "array": ["a@example.com"],
    "array of two": ["a@example.com", "b@example.com"],
    "object": {"$ne": None},
    "$regex": {"$regex": ".*"},
    "null": None,
    "number": 1,
    "true": True,
    "empty": "",
    "no at": "example.com",
    "two ats": "a@b@example.com",
    "NUL": "a\x00@example.com",
    "line break": "a@example.com\r\nBcc: b@example.com",
    "comma": "a@example.com,b@example.com",
    "angle": "Ada <a@example.com>",
    "quoted": '"a b"@example.com',
    "ip": "a@[127.0.0.1]",
    "encoded word": "=?utf-8?q?a?=@example.com",
    "encoded list": "=?utf-8?q?a=40example.org=2c?=@example.com",
    "long": "a" * 300 + "@example.com",
    "long domain": "a@" + "b." * 200 + "example.com",
    "spaces": " a @example.com",
    "right to left": "a\u202e@example.com",
    "huge": "a" * 900_000,
}
_PASSWORDS: dict[str, tuple[Any, tuple[int, ...]]] = {
    "null": (None, (422,)),
    "array": (["correct horse"], (422,)),
    "object": ({"$ne": ""}, (422,)),
    "number": (12345678, (422,)),
    "true": (True, (422,)),
    "short": ("short", (422,)),
    "long": ("x" * 129, (422,)),
    "huge": ("x" * 900_000, (422,)),
    "128 letters": ("x" * 128, (201,)),
    "512 bytes": ("\U0001f4a9" * 128, (201,)),
    "NUL": ("correct\x00horse", (201, 422)),
}


def _short(text: str) -> str:
    return text if len(text) <= 40 else f"{text[:30]}… ({len(text)})"


def _bodies() -> Iterator[Case]:
    for name, body in _RAW_BODIES.items():
        bad = (400, 413, 422)
        yield _post(f"body: {name}", TASKS, body, *bad)
        yield _post(f"login body: {name}", LOGIN, body, *bad)
        yield _patch(f"patch body: {name}", TASK, body, *bad)
    for name, shape in _SHAPES.items():
        yield _post(f"shape: {name}", TASKS, _json(shape), 422)
        changed = (200, 422) if name == "empty object" else (422,)
        yield _patch(f"patch shape: {name}", TASK, _json(shape), *changed)


def _fields() -> Iterator[Case]:
    for field, good in _TASK_FIELDS.items():
        for name, value in _STRANGE.items():
            body = _json({"title": "a", field: value})
            yield _post(f"{field}: {name}", TASKS, body, *((201,) if name in good else (422,)))
    for name, value in _STRANGE.items():
        fine = (200,) if name in _TASK_FIELDS["title"] else (422,)
        yield _patch(f"patch title: {name}", TASK, _json({"title": value}), *fine)
        for field in ("user_id", "email", "role"):
            body = {"role": "member", "email": "a@example.com"} | {field: value}
            yield _post(f"member {field}: {name}", MEMBERS, _json(body), 422)
        yield _post(f"project key: {name}", "/api/v1/projects", _json({"key": value, "name": "a"}), 422)
        yield _post(f"refresh token: {name}", REFRESH, _json({"refresh_token": value}), 401, 422)
        yield _patch(f"own name: {name}", ME, _json({"name": value}), *fine)


def _times() -> Iterator[Case]:
    for text, good in _TIMES.items():
        yield _post(f"start_at: {text!r}", TASKS, _json({"title": "a", "start_at": text}), 201 if good else 422)
    for text, good in (_TIMES | _DUES).items():
        yield _post(f"due: {text!r}", TASKS, _json({"title": "a", "due": text}), 201 if good else 422)
        yield _patch(f"patch due: {text!r}", TASK, _json({"due": text}), 200 if good else 422)


def _addresses() -> Iterator[Case]:
    for query, statuses in _QUERIES.items():
        yield Case(f"query: {_short(query)}", "GET", f"{TASKS}?{query}", statuses)
    for query in ("nonsense=1", "limit=5", "%ff=1", "a=1&a=2"):
        yield Case(f"query of an item: {query}", "GET", f"{TASK}?{query}", (422,))
        yield Case(f"query of a DELETE: {query}", "DELETE", f"{TASK}?{query}", (422,), headers={"If-Match": "*"})
        yield _post(f"query of a POST: {query}", f"{TASKS}?{query}", _json({"title": "a"}), 422)
    for path, statuses in _PATHS.items():
        yield Case(f"path: {_short(path)}", "GET", path, statuses)
    for path, methods in _METHODS.items():
        for method in methods:
            yield Case(f"{method} {path}", method, path, (405,))
    for method in _ODD_METHODS:
        yield Case(f"method {method}", method, TASK, (405, 501))
        yield Case(f"method {method}, unknown path", method, "/nothing", (404, 405, 501))


def _headers() -> Iterator[Case]:
    task = _json({"title": "a"})
    for kind, statuses in _TYPES.items():
        yield _post(f"content type: {_short(kind)!r}", TASKS, task, *statuses, Content_Type=kind)
    bomb = gzip.compress(b" " * 50_000_000, 9)
    for encoding in _ENCODINGS:
        yield _post(f"content encoding: {encoding}", TASKS, bomb, 400, 415, Content_Encoding=encoding)
    for header, statuses in _IF_MATCHES.items():
        yield _patch(f"if-match: {_short(header)!r}", TASK, _json({"title": "b"}), *statuses, If_Match=header)
    for header in _IF_NONE_MATCHES:
        yield Case(f"if-none-match: {_short(header)!r}", "GET", TASK, (200,), headers={"If-None-Match": header})
    for key, statuses in _IDEMPOTENCY_KEYS.items():
        yield _post(f"idempotency key: {_short(key)!r}", TASKS, task, *statuses, Idempotency_Key=key)
    for header, statuses in _ACCEPTS.items():
        yield Case(f"accept: {_short(header)!r}", "GET", TASK, statuses, headers={"Accept": header})
    for name, headers in _ODD_HEADERS.items():
        yield Case(f"header: {name}", "GET", TASK, (200,), headers=headers)


def _accounts() -> Iterator[Case]:
    for name, address in _ADDRESSES.items():
        account = {"email": address, "password": "correct horse battery", "name": "Ada"}
        yield _post(f"register email: {name}", REGISTER, _json(account), 422)
        yield _post(f"login email: {name}", LOGIN, _json({"email": address, "password": "x" * 9}), 401, 422)
    for number, (name, (password, statuses)) in enumerate(_PASSWORDS.items()):
        account = {"email": f"new{number}@example.com", "password": password, "name": "Ada"}
        yield _post(f"register password: {name}", REGISTER, _json(account), *statuses)
        yield _post(f"login password: {name}", LOGIN, _json(account | {"name": None}), 422)
    role = _json({"email": "a@example.com", "password": "x" * 9, "name": "Ada", "role": "admin"})
    yield _post("register as an administrator", REGISTER, role, 422)


CASES: list[Case] = [*_bodies(), *_fields(), *_times(), *_addresses(), *_headers(), *_accounts()]
