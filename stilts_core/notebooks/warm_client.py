"""A client of the warm process: `python -I -S warm_client.py SOCKET stilts run --target xnli`.

The warm process forks a child for the command. The child has the client's folder, environment, standard input and
standard outputs. The child is killed if the client ends first; otherwise the client ends with the child's exit status.
Only a few modules of the standard library are imported, so that the child starts within milliseconds.
"""

import json
import os
import socket
import sys

ADDRESS_VARIABLE = "STILTS_WARM"  # the environment variable by which a child knows the socket of the warm process
LENGTH = 8  # bytes of a request's length
NUMBER = 4  # bytes of each number in the answer: a process id, then an exit status


def request(path: str, arguments: list[str], cwd: str, environment: dict[str, str]) -> tuple[socket.socket, int]:
    """Start a command in the warm process; returns the connection, which will carry its exit status, and its pid."""
    connection = socket.socket(socket.AF_UNIX)
    connection.connect(path)
    message = json.dumps([arguments, cwd, environment], allow_nan=False).encode()
    socket.send_fds(connection, [len(message).to_bytes(LENGTH, "big")], [0, 1, 2])
    connection.sendall(message)
    return connection, receive_number(connection)


def receive_number(connection: socket.socket) -> int:
    """Return the next number of the answer; 1, the status of a failure, if the warm process has died."""
    number = connection.recv(NUMBER, socket.MSG_WAITALL)
    return int.from_bytes(number, "big") if len(number) == NUMBER else 1


if __name__ == "__main__":
    try:
        connection, _ = request(sys.argv[1], sys.argv[2:], os.getcwd(), dict(os.environ))
    except OSError as error:
        sys.exit(f"SweepError: the warm process of this sweep has died ({error})")
    sys.exit(receive_number(connection))
