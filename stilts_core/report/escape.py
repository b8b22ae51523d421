"""Text from records, data sets, machines and notebooks as HTML and as MyST Markdown, in which none of it has a meaning.

A page joins such texts with the package's own markup. Each kind of place has one function here, and every module uses
it. Line ends are replaced in all of them: in Markdown an empty line ends a table, a list and a block of HTML, and what
follows is read as Markdown again.
"""

import re
from html import escape

# Characters that can begin or end markup inside a line of MyST. An asterisk between spaces cannot.
_ACTIVE = re.compile(r"(?P<inert>(?<= )\*+(?= ))|[\\`*_{}\[\]<>&$|~^@]|:(?=:)|(?<=:):")
# What can begin a block at the start of a line: headings, lists, quotes, fences, rules, comments, targets, options.
_LINE_START = re.compile(r"[-+=>#~:%.()]|\d+[.)](?=\s|$)")
_LINE_ENDS = re.compile(r"\r\n|[\n\r\v\f\x1c-\x1e\x85\u2028\u2029]")
_PRIVATE_USE = re.compile("q[a-t][a-z]")
_CONTROLS = re.compile("[\x00-\x08\x0e-\x1b\x1f\x7f\u202a-\u202e\u2066-\u2069]|[\ud800-\udfff]")


def one_line(text: object) -> str:
    """A text as one line, without control characters, overriding directions and halves of surrogate pairs."""
    line = str(text)
    return line if line.isprintable() else _CONTROLS.sub("\ufffd", _LINE_ENDS.sub(" ", line))


def html_text(text: object) -> str:
    """A text as HTML: between tags, or in a quoted attribute. It may stand in a block of HTML on a Markdown page."""
    return escape(one_line(text))


def language_tag(code: str) -> str:
    """The language of a text as HTML's `lang` names it (BCP 47).

    The codes of generated languages are for private use, which tools take for mistakes: they follow `art`, artificial.
    """
    return f"art-x-{code}" if _PRIVATE_USE.fullmatch(code) else code


def markdown_text(text: object) -> str:
    """A text as Markdown: in a paragraph, a heading, a list, the label of a link, or a cell of a table.

    Active characters become character references, which never have a meaning in Markdown, and which no table splits.
    """
    line = one_line(text).strip()
    start = _LINE_START.match(line)
    head, rest = (start[0], line[start.end() :]) if start else ("", line)
    escaped = _ACTIVE.sub(lambda match: match["inert"] or _reference(match[0]), rest)
    return "".join(char if char.isalnum() else _reference(char) for char in head) + escaped


def code_span(text: object) -> str:
    """A text as code in Markdown."""
    line = one_line(text)
    longest = max(map(len, re.findall("`+", line)), default=0)
    fence = "`" * (longest + 1)
    padding = " " if not line.strip() or "`" in (line[0], line[-1]) else ""
    return f"{fence}{padding}{line}{padding}{fence}"


def _reference(char: str) -> str:
    return f"&#{ord(char)};"
