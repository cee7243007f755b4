"""What rsyslog sees of Elasticsearch: `_bulk`, kept by the ids of documents, and outages."""

import json
from typing import Any

from taskmanager.embedded import ports
from tests.quiet_server import QuietHandler, QuietServer


class BulkSink:
    """Keeps documents, but for unwanted ones. While `status` is not 200 it takes none; the next `busy` ones get 429."""

    def __init__(self) -> None:
        self.documents: dict[str, str] = {}  # {index and id: line}
        self.actions: list[dict[str, Any]] = []
        self.repeated = 0
        self.status = 200
        self.busy = 0
        self.port = ports.choose()
        self._server: Any = None

    def open(self) -> None:
        sink = self

        class Handler(QuietHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                self._say(sink.status, {})

            do_HEAD = do_GET

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"])).decode()
                if sink.status != 200:
                    return self._say(sink.status, {"error": "away"})
                lines = body.splitlines()
                items = [sink._take(json.loads(head), line) for head, line in zip(lines[::2], lines[1::2], strict=True)]
                errors = any(item["create"]["status"] >= 300 for item in items)
                return self._say(200, {"took": 1, "errors": errors, "items": items})

            def _say(self, status: int, answer: Any) -> None:
                text = json.dumps(answer).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(text)

        self._server = QuietServer(Handler, self.port)

    def close(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None

    def _take(self, head: dict[str, Any], line: str) -> dict[str, Any]:
        """Answer one document as Elasticsearch does: 201, 409 for an id that is there, 429 without room."""
        action, key = head["create"], f"{head['create']['_index']} {head['create']['_id']}"
        self.actions.append(action)
        status = 201
        if "unwanted" in line:
            status = 400
        elif self.busy:
            self.busy, status = self.busy - 1, 429
        elif key in self.documents:
            self.repeated, status = self.repeated + 1, 409
        else:
            self.documents[key] = line
        kind = {
            400: "mapper_parsing_exception",
            429: "es_rejected_execution_exception",
            409: "version_conflict_engine_exception",
        }.get(status)
        error = {"error": {"type": kind, "reason": kind}} if kind else {}
        return {"create": {"_index": action["_index"], "_id": action["_id"], "status": status, **error}}
