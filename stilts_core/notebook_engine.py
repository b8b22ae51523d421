"""The papermill engine: kernels on IPC sockets, notebooks written whole or not at all.

papermill loads this module through its `papermill.engine` entry point, and from then on every local Python notebook of
this environment runs through IpcEngine, with or without `--engine stilts`. Parallel runs on TCP race for free ports
(papermill issue 511); sockets in a folder of their own cannot.
"""

import os
import shutil
import tempfile
from pathlib import Path

from papermill.clientwrap import PapermillNotebookClient
from papermill.engines import NBClientEngine, papermill_engines
from papermill.iorw import LocalHandler
from papermill.log import logger
from papermill.utils import chdir

# A socket's path may hold 103 characters (macOS; Linux 107). `stilts-xxxxxxxx/kernel-5` takes 25 of them.
LONGEST_FOLDER = 75


class IpcClient(PapermillNotebookClient):
    """Runs the kernel of one notebook on sockets in `sockets`, a folder of its own."""

    def __init__(self, nb_man, sockets: str, **kwargs):
        super().__init__(nb_man, **kwargs)
        self.sockets = sockets

    def create_kernel_manager(self):
        manager = super().create_kernel_manager()
        # Kernels of other languages build their addresses for TCP only.
        if manager.ipykernel:
            manager.transport = "ipc"
            manager.ip = os.path.join(self.sockets, "kernel")
            manager.connection_file = os.path.join(self.sockets, "connection.json")
            if "STILTS_WARM" in os.environ:  # this process was forked from a warm one, and so may the kernel be
                from stilts_core.workflow.forked import WarmProvisioner

                manager.provisioner = WarmProvisioner.of(manager)
        return manager


class IpcEngine(NBClientEngine):
    """papermill's own engine with IpcClient in place of its client."""

    @classmethod
    def execute_managed_notebook(cls, nb_man, kernel_name, start_timeout=60, execution_timeout=None, **kwargs):
        """Execute the notebook that `nb_man` manages; the arguments are those of papermill's NBClientEngine."""
        for name in ("input_path", "timeout", "startup_timeout"):
            kwargs.pop(name, None)
        with tempfile.TemporaryDirectory(prefix="stilts-", dir=_socket_root()) as sockets:
            client = IpcClient(
                nb_man,
                sockets,
                kernel_name=kernel_name,
                startup_timeout=start_timeout,
                timeout=execution_timeout,
                log=logger,
                **kwargs,
            )
            return client.execute()


def _socket_root() -> str:
    folder = os.path.abspath(tempfile.gettempdir())
    return folder if len(folder) <= LONGEST_FOLDER else "/tmp"


def write_whole(handler: LocalHandler, text: str, path: str) -> None:
    """Write `text` to `path` so that whoever opens `path`, at any moment, finds a whole file.

    Raises FileNotFoundError for a missing folder, as papermill's own method does, whose place this takes.
    """
    with chdir(handler._cwd):
        target = Path(os.path.realpath(path))
        if not target.parent.is_dir():
            raise FileNotFoundError(f"output folder {target.parent} doesn't exist.")
        if target.exists() and not target.is_file():  # /dev/stdout, a pipe: nothing to replace
            target.write_text(text, encoding="utf-8")
            return
        partial = target.with_name(f".{target.name}.{os.getpid()}")
        try:
            with open(partial, "w", encoding="utf-8") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            if target.exists():
                shutil.copymode(target, partial)
            os.replace(partial, target)
        finally:
            partial.unlink(missing_ok=True)


papermill_engines.register(None, IpcEngine)
# Of several handlers registered as "local" papermill keeps its own, so its write method is replaced instead.
LocalHandler.write = write_whole
