"""Addresses come from the remote on GitHub or from the environment, and from nowhere else."""

import subprocess

import pytest

from stilts_core.errors import ConfigError
from stilts_core.report.publishing.addresses import find_book, find_repository, read_commit


@pytest.fixture(autouse=True)
def no_addresses_in_the_environment(monkeypatch):
    for name in ("STILTS_REPOSITORY", "STILTS_BOOK_URL"):
        monkeypatch.delenv(name, raising=False)


def with_remote(folder, address):
    subprocess.run(["git", "init", "--quiet", folder], check=True)
    subprocess.run(["git", "-C", folder, "remote", "add", "origin", address], check=True)
    return folder


@pytest.mark.parametrize(
    "remote",
    [
        "https://github.com/Owner/a.book",
        "https://github.com/Owner/a.book.git",
        "https://user:secret@github.com/Owner/a.book.git",
        "git@github.com:Owner/a.book.git",
        "ssh://git@github.com/Owner/a.book",
    ],
)
def test_every_form_of_a_remote_on_github_gives_the_same_address_without_a_password(tmp_path, remote):
    assert find_repository(with_remote(tmp_path, remote)) == "https://github.com/Owner/a.book"


@pytest.mark.parametrize("remote", ["/srv/a.git", "https://example.org/Owner/a.git", "https://github.com.example/O/a"])
def test_other_remotes_give_no_address(tmp_path, remote):
    assert find_repository(with_remote(tmp_path, remote)) is None


def test_environment_names_another_repository_and_another_place_of_the_book(tmp_path, monkeypatch):
    monkeypatch.setenv("STILTS_REPOSITORY", "https://gitlab.com/group/sub/book.git")
    monkeypatch.setenv("STILTS_BOOK_URL", "https://example.org/book")
    assert find_repository(with_remote(tmp_path, "git@github.com:o/n")) == "https://gitlab.com/group/sub/book"
    assert find_book("https://github.com/o/n") == "https://example.org/book/"


@pytest.mark.parametrize(
    "value", ["github.com/o/n", "https://github.com/o", "javascript:alert(1)//a/b/c", "https://a/b c/d"]
)
def test_wrong_address_of_the_repository_is_refused_with_its_value(tmp_path, monkeypatch, value):
    monkeypatch.setenv("STILTS_REPOSITORY", value)
    with pytest.raises(ConfigError, match=r"STILTS_REPOSITORY is .*OWNER/NAME"):
        find_repository(tmp_path)


@pytest.mark.parametrize("value", ["example.org/book", "ftp://example.org", "https:///book", "https://example.org/#a"])
def test_wrong_address_of_the_book_is_refused_with_its_value(monkeypatch, value):
    monkeypatch.setenv("STILTS_BOOK_URL", value)
    with pytest.raises(ConfigError, match="STILTS_BOOK_URL is"):
        find_book(None)


def test_book_is_where_github_pages_serves_the_repository():
    assert find_book("https://github.com/Owner/Book") == "https://owner.github.io/Book/"
    assert find_book("https://github.com/Owner/owner.github.io") == "https://owner.github.io/"
    assert find_book("https://gitlab.com/Owner/Book") is None and find_book(None) is None


def test_folder_without_a_commit_has_none(tmp_path):
    assert read_commit(with_remote(tmp_path, "/srv/a.git")) is None
