"""Sockets whose timeouts are the system's, so that a send and a read are one system call each.

Python's are a `poll` before each of them. A thread gives the interpreter to another one at each call, and gets it back
after that one's turn: with eight threads these calls, not their work, are what a request waits for.
"""

import math
import socket
import struct
import time
from typing import Any, Self

_READ_BYTES = 16_384
_STEPS = 20  # of a timeout in a second
_TIMEVAL, _SIZE = struct.Struct("@ll"), struct.Struct("<i")


def limit_waits(sock: socket.socket, option: int, seconds: float | None) -> None:
    """Set after how many seconds a blocking socket raises BlockingIOError; the option is SO_RCVTIMEO or SO_SNDTIMEO."""
    micros = 0 if seconds is None else max(1, int(seconds * 1_000_000))  # zero is no timeout
    sock.setsockopt(socket.SOL_SOCKET, option, _TIMEVAL.pack(*divmod(micros, 1_000_000)))


class DriverSocket(socket.socket):
    """A socket of the MongoDB driver, which sets its timeout six times for a command, and reads a reply in two parts.

    The timeout is kept as a number, and told to the system when a wait needs another one than the last, in steps of a
    twentieth of a second, because what is left of a time limit differs for each command; what has come is read at once.
    A signal whose handler raises nothing begins the wait anew, as the system's calls are.
    """

    _seconds: float | None
    _told: dict[int, float | None]
    _buffer: memoryview
    _unread: memoryview  # the part of the buffer

    @classmethod
    def of(cls, connected: socket.socket) -> Self:
        """Return such a socket in the place of a connected one."""
        seconds = connected.gettimeout()
        made = cls(fileno=connected.detach())
        socket.socket.settimeout(made, None)
        made._seconds, made._told = seconds, {}
        made._buffer = memoryview(bytearray(_READ_BYTES))
        made._unread = made._buffer[:0]
        return made

    def settimeout(self, seconds: float | None) -> None:
        """Set the seconds that a send or a read may wait; None is no limit, and 0 is no wait."""
        self._seconds = seconds

    def gettimeout(self) -> float | None:
        """Return the timeout."""
        return self._seconds

    def sendall(self, data: Any, flags: int = 0) -> None:
        """Send all. Raises TimeoutError when the other side takes nothing for as long as the timeout."""
        self._tell(socket.SO_SNDTIMEO)
        try:
            super().sendall(data, flags)
        except BlockingIOError:
            raise TimeoutError("timed out") from None

    def recv_into(self, buffer: Any, nbytes: int = 0, flags: int = 0) -> int:
        """Read into the buffer, at least a byte; return how many, 0 at the end.

        Raises TimeoutError, and BlockingIOError where no wait is allowed.
        """
        if not self._unread:
            if len(buffer) >= _READ_BYTES:
                return self._receive(buffer)
            self._unread = self._buffer[: self._receive(self._buffer)]
        part = self._unread[: len(buffer)]
        buffer[: len(part)] = part
        self._unread = self._unread[len(part) :]
        return len(part)

    def receive_message(self, most: int) -> bytes:
        """Read a message, which begins with its size in four bytes, within the timeout.

        Raises TimeoutError, and ConnectionError when it ends early, or would have more than `most` bytes.
        """
        seconds = self._seconds
        ends = math.inf if seconds is None else time.monotonic() + seconds
        found = bytes(self._unread or self._buffer[: self._receive(self._buffer)])
        self._unread = self._buffer[:0]
        try:
            while len(found) < _SIZE.size:
                found += self._part(self._buffer[: _SIZE.size], ends)
            if len(found) == (size := _SIZE.unpack_from(found)[0]):
                return found
            if not len(found) < size <= most:
                raise ConnectionError(f"a message of {size} bytes cannot be read")
            return found + self._parts(size - len(found), ends)
        finally:
            self._seconds = seconds

    def _parts(self, size: int, ends: float) -> bytes:
        whole, at = bytearray(size), 0
        while at < size:
            at += len(self._part(memoryview(whole)[at:], ends))
        return bytes(whole)

    def _part(self, buffer: memoryview, ends: float) -> memoryview:
        """Read what is here, or comes before the time is over."""
        left = ends - time.monotonic()
        if left < math.inf:
            self._seconds = max(0.0, left)
        try:
            number = self._receive(buffer) if left > 0 else super().recv_into(buffer, 0, socket.MSG_DONTWAIT)
        except BlockingIOError:
            raise TimeoutError("timed out") from None
        if not number:
            raise ConnectionError("connection closed")
        return buffer[:number]

    def _receive(self, buffer: Any) -> int:
        self._tell(socket.SO_RCVTIMEO)
        try:
            return super().recv_into(buffer)
        except BlockingIOError:
            if self._seconds == 0:
                raise
            raise TimeoutError("timed out") from None

    def _tell(self, option: int) -> None:
        seconds = self._seconds and math.ceil(self._seconds * _STEPS) / _STEPS
        if self._told.get(option) != seconds:
            limit_waits(self, option, seconds)
            self._told[option] = seconds
