"""``python forward.py PORT SOCKET PROGRAM ARG…`` runs a program while PORT on loopback leads to a unix socket.

Runs in the sandbox while dependencies are installed; standard library only. Ends with the program's exit code.
"""

from __future__ import annotations

import contextlib
import socket
import subprocess
import sys
import threading


def pump(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while True:
            piece = source.recv(65536)
            if not piece:
                break
            target.sendall(piece)
    for end, how in ((target, socket.SHUT_WR), (source, socket.SHUT_RD)):
        with contextlib.suppress(OSError):
            end.shutdown(how)


def join(client: socket.socket, path: str) -> None:
    with client, socket.socket(socket.AF_UNIX) as server:
        try:
            server.connect(path)
        except OSError:
            return
        back = threading.Thread(target=pump, args=(server, client), daemon=True)
        back.start()
        pump(client, server)
        back.join()


def serve(listener: socket.socket, path: str) -> None:
    while True:
        client, _ = listener.accept()
        threading.Thread(target=join, args=(client, path), daemon=True).start()


def main() -> int:
    port, path, program = int(sys.argv[1]), sys.argv[2], sys.argv[3:]
    listener = socket.create_server(("127.0.0.1", port), backlog=128)
    threading.Thread(target=serve, args=(listener, path), daemon=True).start()
    code = subprocess.call(program)
    return 128 - code if code < 0 else code


sys.exit(main())
