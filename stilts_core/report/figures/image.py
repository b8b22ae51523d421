"""Figures as images in Markdown: the alternative text begins with the figure's title, which states its finding."""

import re
from html import unescape

from stilts_core.report.escape import markdown_text, one_line

_TITLE = re.compile(r"<dc:title>(.*?)</dc:title>", re.DOTALL)


def read_title(svg: str) -> str:
    """The title of a figure that `to_svg` wrote, as plain text on one line; empty if it has none."""
    match = _TITLE.search(svg)
    return " ".join(one_line(unescape(match[1])).split()) if match else ""


def alternative_text(svg: str, description: str) -> str:
    """A figure for readers who do not see it, as plain text: its title, then what it shows."""
    title = read_title(svg)
    return f"{title}. {description}" if title else description


def markdown_image(svg: str, path: str, description: str) -> str:
    """The image of a figure, which was written to `path`; `description` says what is drawn."""
    return f"![{markdown_text(alternative_text(svg, description))}]({path})"
