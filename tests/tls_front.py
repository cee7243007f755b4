"""TLS in front of a server that has none, as stunnel does it: `python -m tests.tls_front CERTIFICATE PORT BEHIND`.

One thread does all: a TLS connection of OpenSSL must not be read in one thread and written in another.
"""

import asyncio
import ssl
import sys
from asyncio import StreamReader, StreamWriter
from contextlib import suppress

from taskmanager.embedded.ports import LOCALHOST


async def serve(certificate: str, port: int, behind: int) -> None:
    """Serve until it is killed."""

    async def answer(reader: StreamReader, writer: StreamWriter) -> None:
        try:
            back, forth = await asyncio.open_connection(LOCALHOST, behind)
        except OSError:
            writer.close()
            return
        await asyncio.gather(_forward(reader, forth), _forward(back, writer))

    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)
    async with await asyncio.start_server(answer, LOCALHOST, port, ssl=context) as server:
        await server.serve_forever()


async def _forward(source: StreamReader, target: StreamWriter) -> None:
    """Forward until the source ends, and then end the target, which ends the other direction."""
    with suppress(OSError):
        while part := await source.read(65536):
            target.write(part)
            await target.drain()
    target.close()


if __name__ == "__main__":
    asyncio.run(serve(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))
