"""The papermill engine `stilts`: kernels on IPC sockets instead of TCP ports.

Parallel runs on TCP race for free ports (papermill issue 511); sockets in a private folder cannot. papermill loads this
module through its `papermill.engine` entry point. The module changes nothing for notebooks that run through another
engine, papermill's default included, but for an environment variable: papermill's default engine starts whatever kernel
`python3` JUPYTER_PATH holds, and the pair notebook compares the kernel's environment with papermill's.
"""

import os
import sys
import tempfile
from typing import Any

from jupyter_client.kernelspec import NATIVE_KERNEL_NAME, KernelSpecManager
from jupyter_client.manager import AsyncKernelManager
from nbformat import NotebookNode
from papermill.clientwrap import PapermillNotebookClient
from papermill.engines import NBClientEngine, NotebookExecutionManager
from papermill.log import logger

from stilts_core.notebooks.warm_client import ADDRESS_VARIABLE
from stilts_core.notebooks.warm_kernel import WarmProvisioner
from stilts_core.storage.leftovers import temporary_folder

# A socket's path may hold 103 characters (macOS; Linux 107). `stilts-xxxxxxxx/kernel-5` takes 25 of them.
LONGEST_FOLDER = 75

# A kernel that is interrupted answers on a socket that is closed already, and logs the traceback on our terminal. What
# fails in a cell is not logged: it comes as an answer.
QUIET = ("--IPKernelApp.log_level=CRITICAL",)

os.environ["STILTS_PREFIX"] = sys.prefix  # kernels inherit it; a virtual environment is known by its prefix


class IpcClient(PapermillNotebookClient):
    """papermill's client with the kernel on IPC sockets in the folder `sockets`, which no other kernel uses."""

    def __init__(self, nb_man: NotebookExecutionManager, sockets: str, **kwargs: Any):
        super().__init__(nb_man, **kwargs)
        self.sockets = sockets

    def create_kernel_manager(self) -> AsyncKernelManager:
        """Return a manager whose kernel will listen on IPC sockets, and start in the warm process if there is one."""
        manager = super().create_kernel_manager()
        if manager.kernel_name == NATIVE_KERNEL_NAME:
            # JUPYTER_PATH and the user's own folders may have a python3 that runs another interpreter. Without folders
            # jupyter_client takes the kernel of this one.
            manager.kernel_spec_manager = KernelSpecManager(kernel_dirs=[])
        # Kernels of other languages build their addresses for TCP only.
        if manager.ipykernel:
            manager.transport = "ipc"
            manager.ip = os.path.join(self.sockets, "kernel")
            manager.connection_file = os.path.join(self.sockets, "connection.json")
            self.extra_arguments = [*QUIET]
            if ADDRESS_VARIABLE in os.environ:
                manager.provisioner = WarmProvisioner.for_manager(manager)
        return manager


class IpcEngine(NBClientEngine):
    """papermill's default engine with IpcClient in place of papermill's client."""

    @classmethod
    def execute_managed_notebook(
        cls,
        nb_man: NotebookExecutionManager,
        kernel_name: str,
        start_timeout: int = 60,
        execution_timeout: int | None = None,
        **kwargs: Any,
    ) -> NotebookNode:
        """Execute the notebook that `nb_man` manages; see papermill's NBClientEngine for the arguments."""
        for name in ("input_path", "timeout", "startup_timeout"):
            kwargs.pop(name, None)
        with temporary_folder(_socket_root()) as sockets:
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
