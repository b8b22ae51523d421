"""The folder of the committed notebooks, in a checkout and in an installed package."""

from pathlib import Path

# A wheel has the notebooks beside this module (see pyproject.toml), a checkout has them at its root.
_INSTALLED = Path(__file__).with_name("files")
_CHECKOUT = Path(__file__).resolve().parents[2] / "notebooks"


def notebook_path(name: str) -> Path:
    """Return the path of a committed notebook by its name: pair, question, or that of a lesson."""
    return (_INSTALLED if _INSTALLED.is_dir() else _CHECKOUT) / f"{name}.ipynb"
