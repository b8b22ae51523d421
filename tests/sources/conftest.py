import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def data() -> Path:
    """The data root with publishers' files."""
    if not os.environ.get("STILTS_DATA"):
        pytest.skip("STILTS_DATA is not set: no publishers' files to read")
    return Path(os.environ["STILTS_DATA"])


@pytest.fixture(autouse=True)
def hub_off(monkeypatch):
    """No test reaches for the network, or for a data root that it does not name."""
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.delenv("STILTS_HUB_MIRROR", raising=False)
    monkeypatch.delenv("STILTS_DATA", raising=False)


@pytest.fixture
def put(tmp_path):
    """Writes a file under a data root of the test's own and returns the root."""

    def write(name: str, content: str | bytes) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return tmp_path

    return write
