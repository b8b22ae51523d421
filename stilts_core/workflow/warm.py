"""A process that has imported everything and forks whatever is to run: a fork costs milliseconds, the imports seconds.

`WarmProcess` starts it, `ask.py` and `forked.py` are its clients. It has one thread and computes nothing itself:
no lock is held and no pool of threads is lost in a fork. A client that dies takes what it asked for along, and so does
the process that started it all. Linux only; elsewhere, and on a cluster, plain commands do the same.
"""

import gc
import json
import os
import random
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
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

from stilts_core.workflow.ask import ADDRESS, LENGTH, NUMBER

IMPORTS = (
    "ipykernel.kernelapp",
    "matplotlib.backends.backend_svg",
    "matplotlib_inline.backend_inline",
    "rich.console",
    "rich.table",
    *(f"stilts_core.{name}" for name in ("cli", "notebook_run", "pipeline")),
    *(f"stilts_core.families.{name}" for name in ("choice", "mlm", "pair", "retrieval", "span", "tagging")),
    *(f"stilts_core.report.{name}" for name in ("cards", "figures", "tables")),
)
LONGEST_FOLDER = 85  # characters: a socket's path may hold 107
AVAILABLE = sys.platform == "linux"
ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}


class WarmProcess:
    """The warm process while the context lasts; `gpus` are those that it shares out, the least busy one first."""

    def __init__(self, gpus: list[str]):
        self.gpus = gpus

    def __enter__(self) -> "WarmProcess":
        root = tempfile.gettempdir()
        self.folder = tempfile.mkdtemp(prefix="stilts-", dir=root if len(root) <= LONGEST_FOLDER else "/tmp")
        self.address = os.path.join(self.folder, "warm")
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(self.address)
            listener.listen(1024)  # clients may come while the imports go on
            number = listener.fileno()
            # A session of its own: an interrupt from the keyboard reaches the clients, whose end is that of their jobs.
            self.process = subprocess.Popen(
                [sys.executable, "-m", "stilts_core.workflow.warm", self.address, str(number), *self.gpus],
                stdin=subprocess.PIPE,
                env=os.environ | ONE_THREAD,
                pass_fds=[number],
                start_new_session=True,
            )
        return self

    def __exit__(self, *_) -> None:
        self.process.stdin.close()  # which it takes as the sign to end
        self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    def command(self, *arguments: str) -> list[str]:
        """The command that runs `stilts` in the warm process, with these arguments."""
        return [sys.executable, "-I", "-S", str(Path(__file__).with_name("ask.py")), self.address, "stilts", *arguments]


@dataclass
class Job:
    """Something that was forked: who asked for it, and the GPU that it was given."""

    pid: int
    client: socket.socket
    gpu: str | None


def serve(listener: socket.socket, gpus: list[str]) -> None:
    """Fork what clients ask for until standard input is closed; then everything forked ends, too."""
    warm_up()
    selector = selectors.DefaultSelector()
    selector.register(listener, selectors.EVENT_READ)
    selector.register(sys.stdin, selectors.EVENT_READ)
    jobs: dict[int, Job] = {}  # by a descriptor that tells when the process ends
    while True:
        for key, _ in selector.select():
            if key.fileobj is listener:
                client, _ = listener.accept()
                if job := _forked(client, [listener, *(job.client for job in jobs.values())], _share(gpus, jobs)):
                    jobs[ended := os.pidfd_open(job.pid)] = job
                    selector.register(ended, selectors.EVENT_READ)
                    selector.register(client, selectors.EVENT_READ, job)
            elif key.fileobj is sys.stdin:
                for job in jobs.values():
                    _kill(job)
                return
            elif key.fd in jobs:
                job = jobs.pop(key.fd)
                selector.unregister(key.fd)
                os.close(key.fd)
                status = os.waitstatus_to_exitcode(os.waitpid(job.pid, 0)[1])
                _tell(job.client, status if status >= 0 else 128 - status)
                with suppress(KeyError):
                    selector.unregister(job.client)
                job.client.close()
            elif key.data in jobs.values():  # its client has nothing to say any more: it is gone
                selector.unregister(key.fileobj)
                _kill(key.data)


def warm_up() -> None:
    """Import all that a run needs. No import may start a thread."""
    warnings.filterwarnings("ignore", message="IProgress not found")  # tqdm's
    sys.modules["pyarrow"] = None  # papermill tries it for HDFS, and its allocator starts a thread
    import_module("papermill")
    del sys.modules["pyarrow"]
    for name in IMPORTS:
        import_module(name)
    from stilts_core.report import figures
    from stilts_core.weights import KINDS, architecture

    for kind in KINDS:
        architecture(kind)
    figures.layers({"layers": {"en": [0.0, 1.0]}, "metric": "accuracy"})  # finds the fonts
    gc.freeze()  # what all share stays shared: no search for garbage touches it


def _share(gpus: list[str], jobs: dict[int, Job]) -> str | None:
    """The GPU with the fewest jobs."""
    busy = Counter(job.gpu for job in jobs.values())
    return min(gpus, key=busy.__getitem__, default=None)


def _forked(client: socket.socket, inherited: list[socket.socket], gpu: str | None) -> Job | None:
    """Fork what the client asks for, if it lives to say it; a kernel stays on the GPU of the run that asks for it."""
    length, descriptors, *_ = socket.recv_fds(client, LENGTH, 3)
    length = int.from_bytes(length, "big")
    message = client.recv(length, socket.MSG_WAITALL)
    if not message or len(message) < length:
        client.close()
        return None
    arguments, cwd, environment = json.loads(message)
    gpu = None if arguments[0] == "kernel" else gpu
    address, pid = os.environ[ADDRESS], os.fork()
    if pid == 0:
        status = 1
        try:
            os.setsid()
            for place, descriptor in enumerate(descriptors):
                os.dup2(descriptor, place)
            for other in (*inherited, client):
                other.close()
            os.chdir(cwd)
            os.environ.clear()
            os.environ.update(environment | {ADDRESS: address})
            if gpu is not None:
                os.environ["CUDA_VISIBLE_DEVICES"] = gpu
            status = _do(*arguments)
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(status)
    for descriptor in descriptors:
        os.close(descriptor)
    _tell(client, pid)
    return Job(pid, client, gpu)


def _do(what: str, *arguments: str) -> int:
    """The work of a forked process: a `stilts` command, or a notebook's kernel; returns its exit status."""
    import numpy as np
    import torch

    random.seed()  # or all that is forked would draw the same names of temporary files
    np.random.seed()
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", 1)))
    try:
        if what == "kernel":
            from ipykernel.kernelapp import IPKernelApp

            IPKernelApp.launch_instance(["-f", *arguments])
        else:
            from stilts_core.cli import entry

            sys.argv = [what, *arguments]
            entry()
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    return 0


def _tell(client: socket.socket, number: int) -> None:
    with suppress(OSError):  # the client is gone
        client.sendall(number.to_bytes(NUMBER, "big"))


def _kill(job: Job) -> None:
    with suppress(ProcessLookupError):
        os.killpg(job.pid, signal.SIGKILL)


if __name__ == "__main__":
    os.environ[ADDRESS] = sys.argv[1]
    serve(socket.socket(fileno=int(sys.argv[2])), sys.argv[3:])
    shutil.rmtree(Path(sys.argv[1]).parent, ignore_errors=True)  # whoever made it may have been killed
