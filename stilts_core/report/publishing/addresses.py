"""The web addresses of the repository and of the book, and the commit that the book shows.

No address is written in the sources, so that a fork links to itself. The repository is the one that the environment
variable STILTS_REPOSITORY names, or else the git remote `origin`, if it is on GitHub. The book is where STILTS_BOOK_URL
says, or else where GitHub Pages serves this repository.
"""

import os
import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from stilts_core.errors import ConfigError, shown
from stilts_core.storage.git import ask_git

REPOSITORY, BOOK_URL = "STILTS_REPOSITORY", "STILTS_BOOK_URL"
# A remote's address, without the password that some have before the host.
GITHUB = re.compile(r"(?:(?:https|ssh)://(?:[^@/]+@)?|git@)github\.com[/:]([\w.-]+)/([\w.-]+?)(?:\.git)?/?")


@dataclass(frozen=True)
class Commit:
    """The commit of a checkout, its date (ISO 8601), the changed files, and whether the remote `origin` has it."""

    name: str
    date: str
    changes: tuple[str, ...]
    pushed: bool


def read_commit(folder: Path) -> Commit | None:
    """The commit that the checkout `folder` is at; None outside a git repository."""
    described = ask_git(folder, "log", "-1", "--format=%H %cs")
    changes = ask_git(folder, "status", "--porcelain")
    if not described or changes is None:
        return None
    name, date = described.split()
    return Commit(
        name,
        date,
        tuple(changes.splitlines()),
        bool(ask_git(folder, "branch", "-r", "--list", "origin/*", "--contains", "HEAD")),
    )


def find_repository(folder: Path) -> str | None:
    """The repository's address, such as https://github.com/OWNER/NAME; None if nothing says it.

    Raises ConfigError if STILTS_REPOSITORY is no https address of that form.
    """
    if named := os.environ.get(REPOSITORY):
        if not re.fullmatch(r"https://[\w.-]+(/[\w.-]+){2,}", address := named.rstrip("/")):
            raise ConfigError(f"{REPOSITORY} is {shown(named)}; write an address such as https://github.com/OWNER/NAME")
        return address.removesuffix(".git")
    return find_remote(folder)


def find_remote(folder: Path) -> str | None:
    """The address of the git remote `origin` of the checkout `folder`; None if it is not on GitHub."""
    match = GITHUB.fullmatch(ask_git(folder, "remote", "get-url", "origin") or "")
    return f"https://github.com/{match[1]}/{match[2]}" if match else None


def find_book(repository: str | None) -> str | None:
    """The address at which the book is served, with a slash at its end; None if nothing says it.

    Raises ConfigError if STILTS_BOOK_URL is no http address.
    """
    if named := os.environ.get(BOOK_URL):
        parts = urlsplit(named)
        if parts.scheme not in ("http", "https") or not parts.netloc or parts.query or parts.fragment:
            raise ConfigError(f"{BOOK_URL} is {shown(named)}; write an address such as https://OWNER.github.io/NAME/")
        return named.rstrip("/") + "/"
    if not repository or not (match := GITHUB.fullmatch(repository)):
        return None
    host = f"{match[1].lower()}.github.io"
    return f"https://{host}/" + f"{match[2]}/" * (match[2].lower() != host)
