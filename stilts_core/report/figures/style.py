"""The style that all figures share: colours, sizes, title, rows of points with error bars, and the way to SVG."""

import io
import textwrap
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure

if TYPE_CHECKING:
    from matplotlib.typing import RcKeyType

# Okabe and Ito's colours differ for every kind of colour vision. Markers distinguish the same groups without colour.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
MARKERS = "os^Dv"
GREY, LIGHT_GREY = "#888888", "#bbbbbb"
WIDTH = 5.6  # inches: the width of a page on a desktop, and still legible at two thirds of it on a phone
HIDDEN_STATE = "hidden state (0 = embeddings)"  # the label of an axis
FEW_ROWS = 4  # up to this number of rows, the vertical axis has no room for its label
TITLE_CHARACTERS = 54  # characters of a title's line that fit WIDTH

STYLE: "dict[RcKeyType, Any]" = {
    "font.size": 11,
    "axes.titlesize": 11.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#dddddd",
    "legend.frameon": False,
    "legend.fontsize": 9.5,
    "text.parse_math": False,  # a name with dollar signs is no formula
    "svg.hashsalt": "stilts",  # element ids are hashes with this salt: the same record gives the same bytes
}


@contextmanager
def styled_figure(height: float, width: float = WIDTH) -> Iterator[Figure]:
    """Open a figure of a size in inches; everything inside the context has the shared style."""
    with rc_context(STYLE):
        yield Figure(figsize=(width, height), layout="constrained")


def to_svg(figure: Figure) -> str:
    """Render a figure as SVG with its title in the metadata. Equal figures give equal text."""
    text = io.StringIO()
    figure.savefig(text, format="svg", metadata={"Date": None, "Title": _title(figure)})
    return text.getvalue()


def _title(figure: Figure) -> str:
    """The title of a figure on one line, or those of its panels."""
    titles = [figure.get_suptitle()] if figure.get_suptitle() else [axes.get_title("left") for axes in figure.axes]
    return "; ".join(" ".join(title.split()) for title in titles if title)


def set_title(figure: Figure, sentence: str, characters: int = TITLE_CHARACTERS) -> None:
    """Set a sentence above a figure, flush left, in lines of at most `characters`."""
    figure.suptitle(textwrap.fill(sentence, characters), x=0.02, ha="left", fontsize=11.5, fontweight="bold")


def add_legend(figure: Figure, columns: int = 2) -> None:
    """Add the legend of all axes below a figure."""
    figure.legend(loc="outside lower center", ncols=columns)


def set_rows(axes: Axes, names: Sequence[str]) -> None:
    """Label the rows 0, 1, … of the vertical axis, the first on top."""
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(len(names) - 0.4, -0.6)


def mark_value(axes: Axes, value: float) -> None:
    """Mark a reference value of the horizontal axis by a dashed line behind the points."""
    axes.axvline(value, color=GREY, linestyle="--", linewidth=1, zorder=0)


def error_lengths(values: Sequence[float], intervals: Sequence[tuple[float, float]]) -> list[list[float]]:
    """The lengths of error bars below and above each value, as matplotlib's `errorbar` takes them."""
    below = [abs(value - low) for value, (low, _) in zip(values, intervals, strict=True)]
    above = [abs(high - value) for value, (_, high) in zip(values, intervals, strict=True)]
    return [below, above]
