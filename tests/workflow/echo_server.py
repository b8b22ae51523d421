"""A warm process that imports nothing and whose jobs only say where they are: `python echo_server.py ADDRESS FD GPU …`.

A job's arguments: what to end with, or `stay`.
"""

import os
import socket
import sys
import time

from stilts_core.workflow import warm


def say(*arguments: str) -> int:
    print(os.getcwd(), os.environ.get("WHO"), os.environ.get("CUDA_VISIBLE_DEVICES"), os.getpid(), flush=True)
    if arguments[-1] == "stay":
        time.sleep(600)
    return int(arguments[-1])


warm.warm_up, warm._do = lambda: None, say
os.environ[warm.ADDRESS] = sys.argv[1]
warm.serve(socket.socket(fileno=int(sys.argv[2])), sys.argv[3:])
