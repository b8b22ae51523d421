"""What the report shows of a notebook's outputs: HTML of the kinds that this package writes, pictures, and plain text.

A notebook from elsewhere can hold any output. HTML is written anew from its tags: only those that tables and cards of
this package have, with the attributes that they have; everything else becomes text or is left out.
"""

import re
from html.parser import HTMLParser
from xml.etree import ElementTree

from stilts_core.report.escape import html_text, language_tag

TAGS = frozenset([
    "b", "bdi", "br", "caption", "code", "details", "div", "em", "i", "li", "ol", "p", "pre", "small", "span",
    "strong", "sub", "summary", "sup", "table", "tbody", "td", "tfoot", "th", "thead", "tr", "ul",
])  # fmt: skip
EMPTY_TAGS = frozenset({"br"})
CLASSES = frozenset([
    "fact", "mathjax_ignore", "missing", "same", "stilts-card", "stilts-gloss", "stilts-grid", "stilts-note",
    "stilts-table", "swatch", "words",
])  # fmt: skip
# Values of attributes: none can hold a script, an address, or a picture.
ATTRIBUTES = {
    "aria-label": re.compile(r".*"),
    "data-value": re.compile(r"-?[\d.]+"),
    "dir": re.compile(r"auto|ltr|rtl"),
    "lang": re.compile(r"[A-Za-z0-9-]{1,20}"),
    "role": re.compile(r"region"),
    "scope": re.compile(r"col|row"),
    "tabindex": re.compile(r"0"),
    "title": re.compile(r".*"),
}
STYLES = frozenset([
    "background", "border", "border-radius", "border-top", "color", "display", "flex-direction", "flex-wrap",
    "font-size", "gap", "margin", "min-width", "opacity", "overflow-wrap", "overflow-x", "padding", "text-align",
    "white-space",
])  # fmt: skip
STYLE_VALUE = re.compile(r"[#\w .%-]{1,60}")
NOT_SHOWN = "This output is not shown: it holds what no output of this package holds."

SVG = "{http://www.w3.org/2000/svg}"
SVG_TAGS = frozenset(SVG + name for name in (
    "clipPath", "circle", "defs", "ellipse", "g", "image", "line", "linearGradient", "marker", "metadata", "path",
    "pattern", "polygon", "polyline", "radialGradient", "rect", "stop", "style", "svg", "text", "title", "tspan",
    "use",
))  # fmt: skip
INERT_NAMESPACES = (  # of the metadata that matplotlib writes
    "{http://purl.org/dc/elements/1.1/}",
    "{http://www.w3.org/1999/02/22-rdf-syntax-ns#}",
    "{http://creativecommons.org/ns#}",
)
LINK = re.compile(r"#[\w.-]+|data:image/png;base64,[A-Za-z0-9+/=\s]*")
LOADED_ADDRESS = re.compile(r"url\((?!#)")  # of something that is not in the same picture
# What loads or runs something, and what could spell it: character references, escapes in styles, entities.
REFUSED_IN_SVG = (
    "@import",
    "image-set(",
    "src(",
    "javascript:",
    "expression(",
    "\\",
    "&#",
    "<!entity",
    "<?xml-stylesheet",
)


class _Writer(HTMLParser):
    """Writes HTML anew from the tags that are allowed."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.parts: list[str] = []
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in TAGS:
            return
        self.parts.append(f"<{tag}{''.join(_attribute(name, value or '') for name, value in attrs)}>")
        if tag not in EMPTY_TAGS:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        while tag in self.open:
            self.parts.append(f"</{(closed := self.open.pop())}>")
            if closed == tag:
                break

    def handle_data(self, data: str) -> None:
        self.parts.append(html_text(data))


def clean_html(html: str) -> str:
    """HTML with the tags, attributes and styles that this package writes, inside a block that MathJax leaves alone."""
    writer = _Writer()
    writer.feed(html)
    writer.close()
    ends = "".join(f"</{tag}>" for tag in reversed(writer.open))
    return f'<div class="mathjax_ignore">{"".join(writer.parts)}{ends}</div>'


def is_plain_svg(svg: str) -> bool:
    """Whether a picture only draws: no scripts, no handlers, no links, and nothing that is loaded from elsewhere."""
    lower = svg.lower()
    if any(words in lower for words in REFUSED_IN_SVG) or LOADED_ADDRESS.search(lower):
        return False
    try:
        root = ElementTree.fromstring(svg)
    except (ElementTree.ParseError, ValueError):
        return False
    return root.tag == f"{SVG}svg" and all(map(_only_draws, root.iter()))


def _only_draws(element: ElementTree.Element) -> bool:
    if element.tag not in SVG_TAGS:
        return str(element.tag).startswith(INERT_NAMESPACES)
    return all(_is_inert(name, value) for name, value in element.attrib.items())


def _is_inert(name: str, value: str) -> bool:
    local = name.rsplit("}", 1)[-1].lower()
    return not local.startswith("on") and (local != "href" or LINK.fullmatch(value) is not None)


def _attribute(name: str, value: str) -> str:
    if name == "class":
        value = " ".join(word for word in value.split() if word in CLASSES)
    elif name == "style":
        value = "; ".join(filter(None, map(_declaration, value.split(";"))))
    elif name == "lang" and ATTRIBUTES[name].fullmatch(value):
        value = language_tag(value)
    elif name not in ATTRIBUTES or not ATTRIBUTES[name].fullmatch(value):
        return ""
    return f' {name}="{html_text(value)}"' if value else ""


def _declaration(text: str) -> str | None:
    name, _, value = (part.strip() for part in text.partition(":"))
    return f"{name}: {value}" if name in STYLES and STYLE_VALUE.fullmatch(value) else None
