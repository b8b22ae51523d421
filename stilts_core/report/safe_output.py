"""What the report shows of a notebook's outputs: HTML of the kinds that this package writes, pictures, and plain text.

A notebook from elsewhere can hold any output. HTML is written anew from its tags: only those that tables and cards of
this package have, with the attributes that they have; everything else becomes text or is left out.
"""

import re
from html.parser import HTMLParser
from xml.etree import ElementTree

from stilts_core.report.escape import html_text

TAGS = frozenset(
    [
        "b",
        "bdi",
        "br",
        "caption",
        "code",
        "details",
        "div",
        "em",
        "i",
        "li",
        "ol",
        "p",
        "pre",
        "small",
        "span",
        "strong",
        "sub",
        "summary",
        "sup",
        "table",
        "tbody",
        "td",
        "tfoot",
        "th",
        "thead",
        "tr",
        "ul",
    ]
)
EMPTY_TAGS = frozenset({"br"})
CLASSES = frozenset(
    [
        "fact",
        "mathjax_ignore",
        "missing",
        "same",
        "stilts-card",
        "stilts-gloss",
        "stilts-grid",
        "stilts-note",
        "stilts-table",
        "swatch",
        "words",
    ]
)
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
STYLES = frozenset(
    [
        "background",
        "border",
        "border-radius",
        "border-top",
        "color",
        "display",
        "flex-direction",
        "flex-wrap",
        "font-size",
        "gap",
        "margin",
        "min-width",
        "opacity",
        "overflow-wrap",
        "overflow-x",
        "padding",
        "text-align",
        "white-space",
    ]
)
STYLE_VALUE = re.compile(r"[#\w .%-]{1,60}")
NOT_SHOWN = "This output is not shown: it holds what no output of this package holds."

SVG = "{http://www.w3.org/2000/svg}"
SVG_TAGS = frozenset(
    [
        "clipPath",
        "circle",
        "defs",
        "ellipse",
        "g",
        "image",
        "line",
        "linearGradient",
        "marker",
        "path",
        "pattern",
        "polygon",
        "polyline",
        "radialGradient",
        "rect",
        "stop",
        "style",
        "svg",
        "text",
        "title",
        "tspan",
        "use",
    ]
)
INERT_NAMESPACES = (  # of the metadata that matplotlib writes
    "{http://purl.org/dc/elements/1.1/}",
    "{http://www.w3.org/1999/02/22-rdf-syntax-ns#}",
    "{http://creativecommons.org/ns#}",
)
LINK = re.compile(r"#[\w.-]+|data:image/png;base64,[A-Za-z0-9+/=\s]*")
LOADING = re.compile(r"url\(\s*['\"]?(?!#)|@import|javascript:|expression\(|\\", re.IGNORECASE)


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
    if "<!ENTITY" in svg or "<?xml-stylesheet" in svg:
        return False
    try:
        root = ElementTree.fromstring(svg)
    except (ElementTree.ParseError, ValueError):
        return False
    return root.tag == f"{SVG}svg" and all(map(_only_draws, root.iter()))


def _only_draws(element: ElementTree.Element) -> bool:
    tag = str(element.tag)
    if tag.startswith(INERT_NAMESPACES) or tag == f"{SVG}metadata":
        return True
    if not tag.startswith(SVG) or tag.removeprefix(SVG) not in SVG_TAGS or LOADING.search(element.text or ""):
        return False
    for name, value in element.attrib.items():
        name = name.rsplit("}", 1)[-1].lower()
        if name.startswith("on") or LOADING.search(value) or (name == "href" and not LINK.fullmatch(value)):
            return False
    return True


def _attribute(name: str, value: str) -> str:
    if name == "class":
        value = " ".join(word for word in value.split() if word in CLASSES)
    elif name == "style":
        value = "; ".join(filter(None, map(_declaration, value.split(";"))))
    elif name not in ATTRIBUTES or not ATTRIBUTES[name].fullmatch(value):
        return ""
    return f' {name}="{html_text(value)}"' if value else ""


def _declaration(text: str) -> str | None:
    name, _, value = (part.strip() for part in text.partition(":"))
    return f"{name}: {value}" if name in STYLES and STYLE_VALUE.fullmatch(value) else None
