import marshal
import os
import socket
import struct

import pytest

from karkhana.workspace.channel import Channel, ChannelClosed


def reply(text: bytes, payload: bytes = b"") -> bytes:
    return struct.pack("!I", len(text)) + text + payload


def test_a_message_goes_out_with_its_bytes() -> None:
    ours, theirs = Channel.pair()
    ours.send({"argv": ["a"], "stdin": 2}, b"in")
    data = theirs.recv(1000)
    (size,) = struct.unpack_from("!I", data)
    assert marshal.loads(data[4 : 4 + size]) == {"argv": ["a"], "stdin": 2}
    assert data[4 + size :] == b"in"
    theirs.close()
    ours.close()


def test_messages_in_pieces_and_together() -> None:
    ours, theirs = Channel.pair()
    one, two = reply(b'{"out": 3, "err": 2}', b"outer"), reply(b'{"n": 2}')
    for piece in (one[:2], one[2:9], one[9:-1], one[-1:] + two[:5]):
        theirs.sendall(piece)
    assert ours.receive(5) == ({"out": 3, "err": 2}, b"outer")
    theirs.sendall(two[5:])
    assert ours.receive(5) == ({"n": 2}, b"")
    theirs.close()
    with pytest.raises(ChannelClosed):
        ours.receive(5)
    ours.close()


def test_silence_ends_in_a_timeout() -> None:
    ours, theirs = Channel.pair()
    with pytest.raises(TimeoutError):
        ours.receive(0.01)
    theirs.sendall(b"\0\0")
    with pytest.raises(TimeoutError):
        ours.receive(0.01)
    theirs.close()
    ours.close()


def test_descriptors_and_the_sender_are_passed_on() -> None:
    ours, theirs = Channel.pair()
    read, write = os.pipe()
    socket.send_fds(theirs, [reply(b'{"out": 4}', b"text")], [read])
    message, text, descriptors = ours.receive_with_descriptors(5)
    assert (message, text, len(descriptors)) == ({"out": 4}, b"text", 1)
    os.write(write, b"through")
    assert os.read(descriptors[0], 10) == b"through"
    assert not os.get_inheritable(descriptors[0])
    for end in (read, write, *descriptors):
        os.close(end)
    theirs.sendall(reply(b'{"n": 1}'))
    assert ours.receive_with_sender(5) == ({"n": 1}, os.getpid(), os.getuid())
    theirs.close()
    ours.close()


def test_shutting_wakes_both_sides() -> None:
    ours, theirs = Channel.pair()
    ours.shut()
    ours.shut()
    assert theirs.recv(1) == b""
    with pytest.raises(ChannelClosed):
        ours.send({})
    theirs.close()
    ours.close()
