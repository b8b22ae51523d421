"""A notebook's kernel as a child of the warm process, which saves the kernel its imports."""

import os
import selectors
import subprocess
from typing import Any, cast
from uuid import uuid4

from jupyter_client.connect import KernelConnectionInfo
from jupyter_client.manager import KernelManager
from jupyter_client.provisioning.local_provisioner import LocalProvisioner

from stilts_core.notebooks.warm_client import ADDRESS_VARIABLE, receive_number, request


class WarmProvisioner(LocalProvisioner):
    """Starts the kernel of one notebook in the warm process."""

    @classmethod
    def for_manager(cls, manager: KernelManager) -> "WarmProvisioner":
        """Return the provisioner of a manager's kernel."""
        return cls(kernel_id=str(uuid4()), kernel_spec=manager.kernel_spec, parent=manager)

    async def launch_kernel(self, cmd: list[str], **kwargs: Any) -> KernelConnectionInfo:
        """Start the kernel; `cmd`, the command of a kernel that imports everything itself, is not used."""
        process = KernelProcess(cast(KernelManager, self.parent).connection_file, kwargs.get("cwd"), kwargs["env"])
        self.process = cast("subprocess.Popen[bytes]", process)  # jupyter_client uses no more of Popen than it has
        self.pid = self.pgid = process.pid
        return self.connection_info


class KernelProcess:
    """A kernel in the warm process, with the methods of Popen that jupyter_client calls."""

    stdin = stdout = stderr = None

    def __init__(self, connection_file: str, cwd: str | None, environment: dict[str, str]):
        arguments = ["kernel", connection_file]
        self.connection, self.pid = request(os.environ[ADDRESS_VARIABLE], arguments, cwd or os.getcwd(), environment)
        self.status: int | None = None

    def poll(self) -> int | None:
        """Return the exit status, None while the kernel runs."""
        with selectors.DefaultSelector() as selector:
            selector.register(self.connection, selectors.EVENT_READ)
            return self.wait() if selector.select(0) else self.status

    def wait(self) -> int:
        """Wait for the end of the kernel and return its exit status."""
        if self.status is None:
            self.status = receive_number(self.connection)
        return self.status

    def send_signal(self, number: int) -> None:
        """Send a signal to the kernel."""
        os.kill(self.pid, number)
