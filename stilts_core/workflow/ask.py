"""Ask a warm process to run something: `python -I -S ask.py SOCKET stilts run --target xnli`.

What runs there has this process's folder, environment, standard input and outputs, and ends with it; this process ends
with its exit status. Only the standard library is imported, and little of that: an answer begins within milliseconds.
"""

import json
import os
import socket
import sys

ADDRESS = "STILTS_WARM"  # the variable that names the socket to what was forked
LENGTH = 8  # bytes of a message's length
NUMBER = 4  # bytes of a process id, then of an exit status, in the answer


def asked(path: str, arguments: list[str], cwd: str, environment: dict[str, str]) -> tuple[socket.socket, int]:
    """Start something; returns the connection, on which its exit status will arrive, and its process id."""
    connection = socket.socket(socket.AF_UNIX)
    connection.connect(path)
    message = json.dumps([arguments, cwd, environment]).encode()
    socket.send_fds(connection, [len(message).to_bytes(LENGTH, "big")], [0, 1, 2])
    connection.sendall(message)
    return connection, received(connection)


def received(connection: socket.socket) -> int:
    """The next number of the answer; that of a failure (1) where the warm process died."""
    number = connection.recv(NUMBER, socket.MSG_WAITALL)
    return int.from_bytes(number, "big") if len(number) == NUMBER else 1


if __name__ == "__main__":
    connection, _ = asked(sys.argv[1], sys.argv[2:], os.getcwd(), dict(os.environ))
    sys.exit(received(connection))
