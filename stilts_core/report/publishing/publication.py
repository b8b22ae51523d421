"""What a published book says of itself: its version, its commit, its repository and its address."""

import tomllib
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from stilts_core.errors import ConfigError
from stilts_core.report.publishing.addresses import (
    BOOK_URL,
    REPOSITORY,
    Commit,
    find_book,
    find_remote,
    find_repository,
    read_commit,
)

LISTED = 10  # problems that a message lists


@dataclass(frozen=True)
class Publication:
    """The version, commit, repository and address of a published book."""

    version: str
    commit: Commit
    repository: str
    address: str

    @property
    def commit_url(self) -> str:
        """The page of the commit."""
        return f"{self.repository}/commit/{self.commit.name}"

    @property
    def day(self) -> str:
        """The date of the commit, in words."""
        day = date.fromisoformat(self.commit.date)
        return f"{day.day} {day:%B %Y}"


def read_publication(root: Path) -> Publication:
    """What the checkout `root` publishes.

    Raises ConfigError if it has changes that are not committed, if its remote does not have the commit, or if the
    address of the repository or of the book is unknown.
    """
    commit = read_commit(root)
    if commit is None:
        raise ConfigError(f"{root.resolve()} is not a git repository with a commit; publish the book from a checkout")
    if commit.changes:
        raise ConfigError(
            f"{len(commit.changes)} files have changes that are not committed, so that no commit describes the book; "
            "commit or remove them:\n  " + "\n  ".join(commit.changes[:LISTED])
        )
    repository = find_repository(root)
    address = find_book(repository)
    if not repository:
        raise ConfigError(f"the repository's address is unknown; set {REPOSITORY}=https://github.com/OWNER/NAME")
    if not address:
        raise ConfigError(f"the book's address is unknown; set {BOOK_URL}=https://HOST/PATH/")
    if repository == find_remote(root) and not commit.pushed:
        raise ConfigError(f"commit {commit.name[:12]} is not in {repository}, to which pages will link; push it first")
    version = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    return Publication(version, commit, repository, address)
