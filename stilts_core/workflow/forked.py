"""A notebook's kernel that is forked from the warm process, in place of one that imports everything for itself."""

import os
import selectors
from uuid import uuid4

from jupyter_client.provisioning.local_provisioner import LocalProvisioner

from stilts_core.workflow.ask import ADDRESS, asked, received


class WarmProvisioner(LocalProvisioner):
    """Starts a notebook's kernel in the warm process."""

    @classmethod
    def of(cls, manager) -> "WarmProvisioner":
        return cls(kernel_id=str(uuid4()), kernel_spec=manager.kernel_spec, parent=manager)

    async def launch_kernel(self, cmd: list[str], **kwargs) -> dict:
        self.process = Forked(["kernel", self.parent.connection_file], kwargs.get("cwd"), kwargs["env"])
        self.pid = self.pgid = self.process.pid
        return self.connection_info


class Forked:
    """A process that the warm one forked, with as much of Popen as jupyter_client uses."""

    stdin = stdout = stderr = None

    def __init__(self, arguments: list[str], cwd: str | None, environment: dict[str, str]):
        self.connection, self.pid = asked(os.environ[ADDRESS], arguments, cwd or os.getcwd(), environment)
        self.status: int | None = None

    def poll(self) -> int | None:
        with selectors.DefaultSelector() as selector:
            selector.register(self.connection, selectors.EVENT_READ)
            return self.wait() if selector.select(0) else self.status

    def wait(self) -> int:
        if self.status is None:
            self.status = received(self.connection)
        return self.status

    def send_signal(self, number: int) -> None:
        os.kill(self.pid, number)
