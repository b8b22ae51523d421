"""The warm process: it has imported everything, and forks a child for each run.

A fork takes milliseconds, the imports take seconds. `WarmProcess` starts the warm process; `notebooks.warm_client` and
`notebooks.warm_kernel` are its clients. It has one thread and computes nothing, so a fork copies no held lock and loses
no thread pool. A child is killed when its client ends. All children are killed when the warm process ends, which ends
with the sweep that started it. Linux only; elsewhere, and on a cluster, plain commands do the same.
"""

import ctypes
import json
import os
import random
import runpy
import selectors
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import traceback
import warnings
from collections import Counter
from contextlib import suppress
from functools import partial
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import NamedTuple, NoReturn, cast

from stilts_core.notebooks import warm_client
from stilts_core.notebooks.warm_client import ADDRESS_VARIABLE, LENGTH, NUMBER
from stilts_core.storage.environment import limit_threads
from stilts_core.storage.leftovers import temporary_folder

# What a `stilts` command or a kernel imports, except `stilts_core.cli`, which a child executes as `__main__`.
IMPORTS = (
    "click",
    "ipykernel.kernelapp",
    "matplotlib.backends.backend_svg",
    "matplotlib_inline.backend_inline",
    "rich.console",
    "rich.table",
    *(
        f"stilts_core.{name}"
        for name in ("notebooks.execution", "notebooks.pair", "runs.pipeline", "terminal", "workflow.batches")
    ),
    *(f"stilts_core.families.{name}" for name in ("choice", "mlm", "pair", "retrieval", "span", "tagging")),
    *(f"stilts_core.report.{name}" for name in ("tables.cards", "tables.run", "figures.run")),
)
LONGEST_FOLDER = 85  # characters: the path of a socket may have 107
PR_SET_PDEATHSIG = 1  # of prctl(2)
AVAILABLE = sys.platform == "linux"


class WarmProcess:
    """Runs the warm process while the context lasts; each new child gets the least busy of `gpus`."""

    def __init__(self, gpus: list[str]):
        self.gpus = gpus

    def __enter__(self) -> "WarmProcess":
        root = tempfile.gettempdir()
        self._temporary = temporary_folder(root if len(root) <= LONGEST_FOLDER else "/tmp")
        self.folder = self._temporary.__enter__()
        self.address = os.path.join(self.folder, "warm")
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(self.address)
            listener.listen(1024)  # clients may connect before the imports are finished
            number = listener.fileno()
            # In another session: an interrupt from the keyboard reaches the clients, and children end with them.
            self.process = subprocess.Popen(
                [sys.executable, "-m", "stilts_core.workflow.warm_process", self.address, str(number), *self.gpus],
                stdin=subprocess.PIPE,
                env=os.environ | limit_threads(1),
                pass_fds=[number],
                start_new_session=True,
            )
        return self

    def __exit__(self, *_: object) -> None:
        self.process.communicate()  # closes its standard input, at which it ends, and waits
        self._temporary.__exit__(None, None, None)

    def command(self, *arguments: str) -> list[str]:
        """Return the command that runs `stilts` with these arguments in the warm process."""
        return [sys.executable, "-I", "-S", str(Path(warm_client.__file__)), self.address, "stilts", *arguments]


class Request(NamedTuple):
    """What a client sends: a command, and where it runs. `descriptors` are the client's standard input and outputs."""

    arguments: list[str]
    cwd: str
    environment: dict[str, str]
    descriptors: list[int]


class Child(NamedTuple):
    """A forked process, the connection to its client, and its GPU."""

    pid: int
    client: socket.socket
    gpu: str | None


class Server:
    """Forks a child for each request until standard input is closed; then it kills the children."""

    def __init__(self, listener: socket.socket, gpus: list[str]):
        self.listener, self.gpus = listener, gpus
        self.children: dict[int, Child] = {}  # by process id
        self.selector = selectors.DefaultSelector()
        self.selector.register(listener, selectors.EVENT_READ, self._accept)
        self.selector.register(sys.stdin, selectors.EVENT_READ)

    def serve(self) -> None:
        """Answer requests until standard input is closed."""
        while True:
            for key, _ in self.selector.select():
                if key.fileobj is sys.stdin:
                    for child in self.children.values():
                        _kill(child)
                    return
                key.data()

    def _accept(self) -> None:
        client, _ = self.listener.accept()
        request = _receive(client)
        if request is None:
            client.close()
            return
        child = self._fork(request, client)
        for descriptor in request.descriptors:
            os.close(descriptor)
        _send(client, child.pid)
        self.children[child.pid] = child
        ended = os.pidfd_open(child.pid)
        self.selector.register(ended, selectors.EVENT_READ, partial(self._child_ended, child, ended))
        self.selector.register(client, selectors.EVENT_READ, partial(self._client_ended, child))

    def _child_ended(self, child: Child, ended: int) -> None:
        del self.children[child.pid]
        self.selector.unregister(ended)
        os.close(ended)
        status = os.waitstatus_to_exitcode(os.waitpid(child.pid, 0)[1])
        _send(child.client, status if status >= 0 else 128 - status)  # a signal's status is what a shell makes of it
        with suppress(KeyError):
            self.selector.unregister(child.client)
        child.client.close()

    def _client_ended(self, child: Child) -> None:
        if child.pid in self.children:  # it may have ended in the same round of events
            self.selector.unregister(child.client)
            _kill(child)

    def _fork(self, request: Request, client: socket.socket) -> Child:
        """Fork the child of a request. A kernel stays on the GPU of the run that starts it."""
        busy = Counter(child.gpu for child in self.children.values())
        gpu = None if request.arguments[0] == "kernel" else min(self.gpus, key=busy.__getitem__, default=None)
        server = os.getpid()
        pid = os.fork()
        if pid == 0:
            _end_with(server)
            for connection in (self.listener, client, *(child.client for child in self.children.values())):
                connection.close()
            _run_child(request, gpu)
        return Child(pid, client, gpu)


def warm_up() -> None:
    """Import everything that a run needs. No import may start a thread."""
    warnings.filterwarnings("ignore", message="IProgress not found")  # tqdm's
    # papermill tries to import pyarrow for HDFS, and pyarrow starts two threads: without it the process has one.
    modules = cast("dict[str, ModuleType | None]", sys.modules)
    modules["pyarrow"] = None
    import_module("papermill")
    del modules["pyarrow"]
    for name in IMPORTS:
        import_module(name)
    from stilts_core.encoders.architectures import FAST_TYPES
    from stilts_core.encoders.weights import import_model_class

    for kind in FAST_TYPES:
        import_model_class(kind)


def _receive(client: socket.socket) -> Request | None:
    """The request of a client; None where the client ended before it was complete."""
    prefix, descriptors, *_ = socket.recv_fds(client, LENGTH, 3)
    length = int.from_bytes(prefix, "big")
    message = client.recv(length, socket.MSG_WAITALL)
    if message and len(message) == length:
        arguments, cwd, environment = json.loads(message)
        return Request(arguments, cwd, environment, descriptors)
    for descriptor in descriptors:
        os.close(descriptor)
    return None


def _run_child(request: Request, gpu: str | None) -> NoReturn:
    """Take the client's place (outputs, folder, environment), execute its command and exit with its status."""
    status = 1
    try:
        os.setsid()
        for place, descriptor in enumerate(request.descriptors):
            os.dup2(descriptor, place)
        os.chdir(request.cwd)
        address = os.environ[ADDRESS_VARIABLE]
        os.environ.clear()
        os.environ.update(request.environment | {ADDRESS_VARIABLE: address})
        if gpu is not None:
            os.environ["CUDA_VISIBLE_DEVICES"] = gpu
        status = execute(request.arguments)
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def execute(arguments: list[str]) -> int:
    """Execute a command in a child, `kernel CONNECTION_FILE` or `stilts …`, and return its exit status."""
    import numpy as np
    import torch

    random.seed()  # or all children would choose the same names of temporary files
    np.random.seed()
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", 1)))
    try:
        if arguments[0] == "kernel":
            from ipykernel.kernelapp import IPKernelApp

            IPKernelApp.launch_instance(["-f", *arguments[1:]])
        else:
            sys.argv = arguments
            runpy.run_module("stilts_core.cli", run_name="__main__", alter_sys=True)  # as `python -m` does
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    return 0


def _end_with(server: int) -> None:
    """Let the system kill this process when the warm process, its parent, ends, even if that is killed."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != server:  # it has ended before the call
        os._exit(1)


def _send(client: socket.socket, number: int) -> None:
    with suppress(OSError):  # the client has ended
        client.sendall(number.to_bytes(NUMBER, "big"))


def _kill(child: Child) -> None:
    with suppress(ProcessLookupError):  # it may not lead a group yet
        os.killpg(child.pid, signal.SIGKILL)
    with suppress(ProcessLookupError):
        os.kill(child.pid, signal.SIGKILL)


if __name__ == "__main__":
    os.environ[ADDRESS_VARIABLE] = sys.argv[1]
    warm_up()
    Server(socket.socket(fileno=int(sys.argv[2])), sys.argv[3:]).serve()
    shutil.rmtree(Path(sys.argv[1]).parent, ignore_errors=True)  # its owner may have been killed
