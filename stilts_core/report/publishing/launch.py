"""A Sphinx extension for the launch buttons: they open the notebook that made a page, on Binder or Colab.

The theme writes buttons for all pages that are notebooks, and links to the page's own path. But the pages of runs and
lessons are generated, so that this path is not in the repository. Here each button gets the committed notebook, at the
commit that the book shows if the remote has it, else on the main branch. A page without a committed notebook gets no
button, and neither does any page if the repository is not known to be on GitHub.
"""

from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from stilts_core.notebooks.lessons import LESSONS, RERUN, RERUNS
from stilts_core.report.publishing.addresses import GITHUB, find_remote, find_repository, read_commit

AFTER_THEME = 502  # the theme adds its buttons with priority 501
LABEL = "launch-buttons"  # of the theme's group of buttons


def setup(app: Any) -> dict[str, bool]:
    """Connect the extension to a Sphinx application."""
    app.connect("config-inited", _name_repository)
    app.connect("html-page-context", _repair_buttons, priority=AFTER_THEME)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def source_notebook(page: str) -> str | None:
    """The path in the repository of the notebook that made a page; None for a page without one.

    >>> source_notebook("book/pairs/mnli-xnli-lab-s0-0123456789")
    'notebooks/pair.ipynb'
    """
    folder, name = PurePosixPath(page).parent.as_posix(), PurePosixPath(page).name
    if folder == "book/pairs":
        return "notebooks/pair.ipynb"
    if folder != "book/lessons" or name not in (*LESSONS, *RERUNS):
        return None
    return f"notebooks/{RERUN if name in RERUNS else name}.ipynb"


def _name_repository(app: Any, config: Any) -> None:
    """Tell the theme the repository and the commit, or take its launch buttons away."""
    # A new mapping: Sphinx writes all pages again if this value differs from that of the last build.
    options = dict(config.html_theme_options)
    folder = Path(app.srcdir)
    repository = find_repository(folder)
    if repository and GITHUB.fullmatch(repository):
        commit = read_commit(folder)
        if commit and commit.pushed and repository == find_remote(folder):
            options["repository_branch"] = commit.name
        options["repository_url"] = repository
    else:
        options |= {"launch_buttons": {}, "repository_url": ""}
    config.html_theme_options = options


def _repair_buttons(app: Any, page: str, template: str, context: dict[str, Any], doctree: Any) -> None:
    """Let the launch buttons of a page open its notebook, or remove them."""
    notebook, groups = source_notebook(page), context.get("header_buttons", [])
    for group in [group for group in groups if group.get("label") == LABEL]:
        if notebook is None:
            groups.remove(group)
        else:
            group["buttons"] = [_open(notebook, page, button) for button in group["buttons"]]


def _open(notebook: str, page: str, button: Mapping[str, Any]) -> dict[str, Any]:
    """A button that opens `notebook` in place of the page's own path."""
    return {**button, "url": button["url"].removesuffix(f"{page}.ipynb") + notebook}
