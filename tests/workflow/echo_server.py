"""`python echo_server.py SOCKET FD GPU …`: a warm process that imports nothing, whose children print where they run.

The last argument of a child is its exit status, or `stay`: then it sleeps.
"""

import os
import socket
import sys
import time

from stilts_core.workflow import warm_process


def print_place(arguments: list[str]) -> int:
    print(os.getcwd(), os.environ.get("WHO"), os.environ.get("CUDA_VISIBLE_DEVICES"), os.getpid(), flush=True)
    if arguments[-1] == "stay":
        time.sleep(600)
    return int(arguments[-1])


warm_process.execute = print_place
os.environ[warm_process.ADDRESS_VARIABLE] = sys.argv[1]
warm_process.Server(socket.socket(fileno=int(sys.argv[2])), sys.argv[3:]).serve()
