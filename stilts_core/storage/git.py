"""Questions to git about a checkout."""

import subprocess
from pathlib import Path

SECONDS = 60  # after which an answer is not waited for


def ask_git(folder: Path, *arguments: str) -> str | None:
    """What a git command prints about the checkout around `folder`; None if it fails, as it does outside of one."""
    try:
        command = ["git", "-C", str(folder), *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=SECONDS).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return None
