"""The host's end of the socket that the launcher and the guest of a sandbox speak over.

A message is four bytes of length, an object, and the raw bytes that the object announces. Ours are written with
marshal, which costs the other side nothing to read; theirs are JSON, because marshal is not for what others write.
Knows nothing of what the messages mean.

>>> ours, theirs = Channel.pair()
>>> _ = theirs.send(b'\\0\\0\\0\\x0a{"out": 2}hi')
>>> ours.receive(1.0)
({'out': 2}, b'hi')
>>> theirs.close(); ours.close()
"""

import array
import contextlib
import marshal
import socket
import struct
import time
from typing import Any

import msgspec

_FIRST_READ = 1 << 16
_SEND_S = 60.0
_LENGTH = struct.Struct("!I")
_CREDENTIALS = struct.Struct("3i")
_ANCILLARY = socket.CMSG_SPACE(_CREDENTIALS.size) + socket.CMSG_SPACE(4 * 4)
"""Room for who sent a message and for four descriptors."""


class ChannelClosed(Exception):
    """The other side is gone."""


class Channel:
    """One end. ``send`` and ``receive`` are for one thread at a time; ``shut`` may be called from any."""

    def __init__(self, end: socket.socket) -> None:
        self._end = end
        self._unread = b""
        self._limit(_SEND_S)

    @classmethod
    def pair(cls) -> tuple["Channel", socket.socket]:
        """Our end, and the one to pass on."""
        ours, theirs = socket.socketpair()
        # From the start: a message that was sent before would not say whom it is from.
        ours.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        return cls(ours), theirs

    def _limit(self, seconds: float) -> None:
        self._seconds = seconds
        self._end.settimeout(seconds)

    def send(self, message: dict[str, Any], payload: bytes = b"") -> None:
        """Raises ``ChannelClosed`` or ``TimeoutError``."""
        data = marshal.dumps(message)
        try:
            self._end.sendall(b"".join((_LENGTH.pack(len(data)), data, payload)))
        except (BrokenPipeError, ConnectionResetError) as error:
            raise ChannelClosed from error

    def receive(self, timeout_s: float) -> tuple[dict[str, Any], bytes]:
        """One message and its bytes. Raises ``ChannelClosed`` or ``TimeoutError``."""
        deadline = time.monotonic() + timeout_s
        if timeout_s != self._seconds:  # setting it is a system call
            self._limit(timeout_s)
        data = self._read(4, deadline)
        end = 4 + _LENGTH.unpack_from(data)[0]
        if len(data) < end:
            data += self._read(end - len(data), deadline)
        message = msgspec.json.decode(data[4:end], type=dict[str, Any])
        end_of_payload = end + message.get("out", 0) + message.get("err", 0)
        if len(data) < end_of_payload:
            data += self._read(end_of_payload - len(data), deadline)
        self._unread = data[end_of_payload:]
        return message, data[end:end_of_payload]

    def _read(self, size: int, deadline: float) -> bytes:
        """At least ``size`` bytes."""
        if len(self._unread) >= size:
            data, self._unread = self._unread, b""
            return data
        parts, have = [self._unread], len(self._unread)
        self._unread = b""
        while have < size:
            if have:
                self._limit(max(deadline - time.monotonic(), 0.001))
            try:
                part = self._end.recv(max(size - have, _FIRST_READ))
            except ConnectionResetError as error:
                raise ChannelClosed from error
            if not part:
                raise ChannelClosed
            parts.append(part)
            have += len(part)
        return b"".join(parts)

    def receive_with_descriptors(self, timeout_s: float) -> tuple[dict[str, Any], bytes, list[int]]:
        """One small message, its bytes, and the open descriptors that came with it; the caller closes them."""
        message, text, found = self._receive_ancillary(timeout_s)
        descriptors = array.array("i")
        for level, kind, data in found:
            if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
                descriptors.frombytes(data[: len(data) - len(data) % descriptors.itemsize])
        return message, text, list(descriptors)

    def receive_with_sender(self, timeout_s: float) -> tuple[dict[str, Any], int, int]:
        """One small message, and the process and user numbers of its sender as this process sees them."""
        message, _, found = self._receive_ancillary(timeout_s)
        self._end.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 0)
        for level, kind, data in found:
            if level == socket.SOL_SOCKET and kind == socket.SCM_CREDENTIALS:
                process, user, _ = _CREDENTIALS.unpack(data[: _CREDENTIALS.size])
                return message, process, user
        raise ChannelClosed

    def _receive_ancillary(self, timeout_s: float) -> tuple[dict[str, Any], bytes, list[tuple[int, int, bytes]]]:
        self._limit(timeout_s)
        try:
            data, found, _, _ = self._end.recvmsg(_FIRST_READ, _ANCILLARY, socket.MSG_CMSG_CLOEXEC)
        except ConnectionResetError as error:
            raise ChannelClosed from error
        if not data:
            raise ChannelClosed
        self._unread = data
        return *self.receive(timeout_s), found

    def shut(self) -> None:
        """End the conversation for both sides."""
        with contextlib.suppress(OSError):  # already closed
            self._end.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self._end.close()
