"""An SMTP server that stores each message as a file: in development no mail leaves the machine.

Run it as `python -m taskmanager.embedded.mail_sink --host HOST --port PORT --dir FOLDER`.
"""

import argparse
import asyncio
import hashlib
import re
import socket
import sys
from datetime import UTC, datetime
from pathlib import Path

from aiosmtpd.smtp import SMTP, Envelope, Session

from taskmanager.embedded.ports import LOCALHOST
from taskmanager.embedded.server import EmbeddedServer as BaseServer

_MAX_MESSAGE_BYTES = 20_000_000


class MailFolder:
    """The aiosmtpd handler: it writes one `.eml` file per message."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.mkdir(parents=True, exist_ok=True)

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        """Store the message before it is acknowledged."""
        content = envelope.original_content or b""
        name = file_name(envelope.rcpt_tos, content, datetime.now(UTC))
        draft = self.path / f".{name}"
        draft.write_bytes(content)
        draft.rename(self.path / name)
        return f"250 kept as {name}"


def file_name(recipients: list[str], content: bytes, at: datetime) -> str:
    """Return the name of a message's file, such as `20260131-081500-123456_ann@example.com_1a2b.eml`.

    Names sort by time and contain the first recipient.
    """
    recipient = re.sub(r"[^A-Za-z0-9@._+-]", "_", recipients[0] if recipients else "unknown")[:80]
    digest = hashlib.sha256(b"\0".join([content, *(to.encode("utf-8", "replace") for to in recipients)]))
    return f"{at:%Y%m%d-%H%M%S-%f}_{recipient}_{digest.hexdigest()[:4]}.eml"


class MailSink(BaseServer):
    """The mail sink as a process; messages go to `mails`."""

    title = "The mail sink"

    def __init__(self, data_dir: str | Path, port: int | None = None, *, mails: str | Path) -> None:
        super().__init__(data_dir, port)
        self.mails = Path(mails).absolute()

    @property
    def uri(self) -> str:
        """Return the URL for `TASKMANAGER_MAIL_URL`."""
        return f"smtp://{LOCALHOST}:{self.port}"

    @property
    def command(self) -> list[str]:
        options = ["--host", LOCALHOST, "--port", str(self.port), "--dir", str(self.mails)]
        return [sys.executable, "-m", "taskmanager.embedded.mail_sink", *options]

    def answers(self) -> bool:
        """Return whether the server greets a client."""
        try:
            with socket.create_connection((LOCALHOST, self.port), timeout=1) as connection:
                return connection.recv(64).startswith(b"220")
        except OSError:
            return False


async def serve(host: str, port: int, folder: Path) -> None:
    """Accept messages until the process is stopped."""
    handler = MailFolder(folder)
    loop = asyncio.get_running_loop()
    listener = await loop.create_server(lambda: _session(handler), host, port)
    async with listener:
        await listener.serve_forever()


def _session(handler: MailFolder) -> SMTP:
    return SMTP(handler, enable_SMTPUTF8=True, data_size_limit=_MAX_MESSAGE_BYTES, hostname="localhost")


def main() -> None:
    """Read the command line and serve."""
    parser = argparse.ArgumentParser(description="An SMTP server that stores each message as a file.")
    parser.add_argument("--host", default=LOCALHOST)
    parser.add_argument("--port", type=int, default=1025)
    parser.add_argument("--dir", type=Path, required=True)
    options = parser.parse_args()
    asyncio.run(serve(options.host, options.port, options.dir))


if __name__ == "__main__":
    main()
