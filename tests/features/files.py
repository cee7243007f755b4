"""Files to attach in tests."""

from typing import Any

from flask.testing import FlaskClient

_BOUNDARY = "sixteen-letters--"


def attach(
    client: FlaskClient,
    task_path: str,
    content: bytes = b"what is in it",
    name: str = "notes.txt",
    kind: str = "text/plain",
    **headers: str,
) -> Any:
    """POST a file to a task."""
    head = f'Content-Disposition: form-data; name="file"; filename="{name}"\r\nContent-Type: {kind}'
    return post_form(client, task_path, f"{head}\r\n\r\n".encode() + content, **headers)


def post_form(client: FlaskClient, task_path: str, part: bytes, **headers: str) -> Any:
    """POST a form of one part, as it stands on the wire."""
    body = f"--{_BOUNDARY}\r\n".encode() + part + f"\r\n--{_BOUNDARY}--\r\n".encode()
    kind = f"multipart/form-data; boundary={_BOUNDARY}"
    return client.post(f"{task_path}/attachments", data=body, content_type=kind, headers=headers)
