"""Texts of records, machines and notebooks mean nothing on a page: it has the structure that harmless texts give.

Every text of a record is replaced, once by a hostile text and once by as many letters. Both books must have the same
headings, tables, links, directives, roles and tags of HTML, as the parser of the book sees them.
"""

import json
import re
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterable
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from question_fixture import keep_table, to_toml, write_protocols
from record_fixture import encoder_facts, grid_records

from stilts_core.config import RunConfig
from stilts_core.errors import ConfigError
from stilts_core.notebooks.pair import EXECUTED, UNFINISHED
from stilts_core.notebooks.paths import notebook_path
from stilts_core.report.book import build_pages
from stilts_core.report.escape import code_span, html_text, markdown_text
from stilts_core.report.executed_notebook import build_notebook
from stilts_core.report.safe_output import clean_html, is_plain_svg
from stilts_core.report.tables.html import markdown_table, notes, table, text
from stilts_core.runs.record import Record, write_record
from stilts_core.studies.protocol import read_protocol
from stilts_core.studies.registration import Revision, register

mdit = pytest.importorskip("myst_parser.parsers.mdit")
BOOK = Path(__file__).parents[2] / "book"
DIRECTIVES = "{eval-rst}", "{include} /etc/passwd", "{literalinclude} /etc/passwd", "{raw} html", "{code-cell}"
FENCES = "```", ":::"
HOSTILE = (
    *(f"a\n\n{fence}{name}\n:file: /etc/passwd\n{fence}\n\n" for name in DIRECTIVES for fence in FENCES),
    "``` ~~~ {download}`/etc/passwd` {eval}`x` {{ secret }} $\\href{javascript:x}{y}$ $$x$$ \\(x\\) \\[x\\]",
    "<img src=x onerror=alert(1)> <script>alert(1)</script> <!-- x --> <style>a</style>",
    "<![CDATA[x]]> <?x?> <!DOCTYPE x> &lt;b&gt; &#60;b>",
    "x](javascript:alert(1)) ![y](http://host/z.png) <javascript:x> [a][b] [^1] https://host/",
    "a | b \\| c \\\\| d\n| --- | --- |\n| e | f |\n\n[b]: http://host/ 'x'\n[^1]: x",
    "---\na: x\n---\n\n(target)=\n\n# heading\n\n% comment\n\n+++\n\n> quote\n\n- list\n\n1. list\n\n    code\n\nx\n=",
    "\"' onmouseover=alert(1) x='</div></td></table>\r\n\r\n<h1>{abbr}`x`</h1>\u2028\u2028*a* _b_ **c** `d` ~~e~~ f^g^",
    ": x\n:::{note}\n@x {#id .class} \\",
    "1) x",
)
# The fields that are no free text: each is checked when the record is read.
CHECKED = {
    "run_id",
    "profile",
    "metric",
    "target",
    "intermediate",
    "source",
    "device",
    "precision",
    "pooling",
    "layers",
}


def parse_markdown(page: str) -> list:
    """The structure of a page without the words of its texts."""
    from markdown_it.renderer import RendererHTML
    from myst_parser.config.main import MdParserConfig

    extensions = {"colon_fence", "dollarmath", "deflist", "substitution", "attrs_inline", "html_image", "tasklist"}
    parser = mdit.create_md_parser(MdParserConfig(enable_extensions=extensions), RendererHTML)
    return list(describe_tokens(parser.parse(page)))


def describe_tokens(tokens: Iterable) -> Iterable[tuple]:
    for token in tokens:
        if token.type.startswith("html_"):
            yield (token.type, *parse_html(token.content))
        elif token.type not in ("text", "text_special", "code_inline"):
            words = "" if token.type in ("inline", "image") else token.content
            meta = {} if token.type == "front_matter" else token.meta
            if token.type == "colon_fence":  # a directive of the package itself, with Markdown in it
                words = str(parse_markdown(token.content))
            yield token.type, token.tag, token.info, words, str({**token.attrs, **meta, "alt": ""})
        else:
            yield (token.type.replace("text_special", "text"),)
        yield from describe_tokens(token.children or ())


def parse_html(html: str) -> list[tuple]:
    """The tags of HTML with their attributes; of attributes that hold words, only the names."""
    found: list[tuple] = []

    class Tags(HTMLParser):
        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            found.append((tag, [(name, "" if name in ("title", "aria-label") else value) for name, value in attrs]))

        def handle_endtag(self, tag: str) -> None:
            found.append(("/", tag))

        def handle_comment(self, data: str) -> None:
            found.append(("comment", data))

        def handle_decl(self, decl: str) -> None:
            found.append(("declaration", decl))

        def handle_pi(self, data: str) -> None:
            found.append(("instruction", data))

    parser = Tags()
    parser.feed(html)
    parser.close()
    return found


def replace_texts(content: Any, words: Callable[[str], str], inside: str = "") -> Any:
    """The content of a record with `words` in place of every free text, and of every key that is a free text."""
    if isinstance(content, dict):
        free_keys = inside in ("seconds_by_part", "packages", "files", "dropped", "text")
        return {
            words(key) if free_keys else key: value if key in CHECKED and isinstance(value, str) else
            replace_texts(value, words, key) for key, value in content.items()
        }  # fmt: skip
    if isinstance(content, list):
        return content if inside in ("tasks", "metrics") else [replace_texts(item, words, inside) for item in content]
    return words(content) if isinstance(content, str) and inside not in ("name", "language", "task") else content


@cache
def is_free(name: str) -> bool:
    """Whether this field of a configuration may be any text."""
    try:
        return all(RunConfig(**{name: text}) for text in HOSTILE)
    except ConfigError:
        return False


def hostile_record(record: Record, words: Callable[[str], str]) -> Record:
    content = replace_texts(record.model_dump(by_alias=True, exclude_unset=True, mode="json"), words)
    content["config"] |= {
        "encoder": f"lab-{words('encoder')}",
        "languages": words("languages"),
        "text_languages": words("m"),
    }
    plain = record.model_dump(by_alias=True, exclude_unset=True, mode="json")["config"]
    content["config"] = {
        name: value if is_free(name) else plain[name] for name, value in content["config"].items() if name in plain
    }
    content["encoder"]["name"] = words("encoder")
    content["environment"] |= {"device": words("device"), "precision": words("precision"), "layers": words("layers")}
    return Record.model_validate(content)


def hostile_notebook(words: Callable[[str], str], failed: bool) -> dict:
    """An executed notebook in which every text is replaced, with an option that makes the book's builder execute it."""
    content = json.loads(notebook_path("pair").read_text())
    for number, cell in enumerate(content["cells"]):
        cell["id"] = words("id") if number % 3 else cell["id"]
        cell["metadata"] = {"mystnb": {"figure": {"caption": words("caption")}}, "tags": ["hide-input", words("tag")]}
        if cell["cell_type"] == "code":
            cell["outputs"] = [{"output_type": "stream", "name": "stdout", "text": words("stream")}]
        else:
            cell["source"] = " ".join(words("source").split())
    error = {"output_type": "error", "ename": words("name"), "evalue": words("value"), "traceback": [words("line")]}
    content["cells"][2]["outputs"] = [error]
    content["cells"].append({"cell_type": "raw", "metadata": {"format": "text/html"}, "source": words("raw")})
    papermill = {"exception": failed, "parameters": {"intermediate": words("task"), "target": "xnli"}}
    content["metadata"] |= {"mystnb": {"execution_mode": "force"}, "papermill": papermill, words("key"): words("value")}
    return content


def hostile_studies(folder: Path, book: Path, words: Callable[[str], str]) -> Path:
    """Protocols whose free texts are `words`, one of them with a table; returns their folder."""
    protocols = write_protocols(folder / "protocols", registered=False)
    for path in protocols.glob("*.toml"):
        content = tomllib.loads(path.read_text())
        content |= {"question": words("question"), "hypothesis": words("hypothesis")}
        for arm in content["arms"].values():
            arm["note"] = words("note")
        for number, contrast in enumerate([content["primary"], *content.get("secondary", [])]):
            contrast["name"] = words("name") + str(number)
        for rule in content.get("exclusions", []):
            rule["reason"] = words("reason")
        path.write_text(to_toml(content))
        protocol = read_protocol(path)
        register(protocol, protocols / "registered" / f"{path.stem}.json", Revision(words("commit"), True))
    keep_table(book, protocols, "continued", text=words("provenance"))
    return protocols


def build_book(folder: Path, words: Callable[[str], str]) -> dict[str, str]:
    """The pages of a book by name, built from records, notebooks and a benchmark with these words."""
    runs, book = folder / "runs", folder / "book"
    records = grid_records("lab", ("none", "mnli"), ("xnli", "udpos"), languages=("en", "qal", "qbe"))
    records += grid_records("lab", ("mnli",), ("xnli",), seeds=(1,), languages=("en", "qal", "qbe"))
    for record in records:
        write_record(runs / "lab" / record.run_id, hostile_record(record, words))
    (runs / "lab" / records[0].run_id / EXECUTED).write_text(json.dumps(hostile_notebook(words, False)))
    (runs / "lab" / "qqp-xnli-lab-s0-0123456789").mkdir()
    failed = runs / "lab" / "qqp-xnli-lab-s0-0123456789" / UNFINISHED
    failed.write_text(json.dumps(hostile_notebook(words, True)))
    (runs / "lab" / "encoders").mkdir()
    facts = encoder_facts() | {"environment": {"cpu": words("cpu")}, words("key"): words("value")}
    (runs / "lab" / "encoders" / "lab.json").write_text(json.dumps(facts))
    bench = json.loads((BOOK / "results" / "bench.json").read_text())
    bench["provenance"] = {words(name): replace_texts(facts, words) for name, facts in bench["provenance"].items()}
    for facts in bench["provenance"].values():
        facts["encoder"]["name"], facts["environment"]["device"] = words("name"), words("device")
    (book / "results").mkdir(parents=True)
    (book / "results" / "bench.json").write_text(json.dumps(bench))
    pages = build_pages(runs, book, "lab", hostile_studies(folder, book, words))
    return {str(page.relative_to(book)): page.read_text() for page in pages if page.suffix in (".md", ".ipynb")}


def describe_page(name: str, page: str) -> list:
    if name.endswith(".md"):
        return parse_markdown(page)
    content = json.loads(page)
    for cell in content["cells"]:
        if cell["cell_type"] == "markdown":
            cell["source"] = parse_markdown(cell["source"])
        else:  # code, printed text and errors are shown as they are
            cell["source"] = cell["execution_count"] = ""
            cell["outputs"] = [(output["output_type"], sorted(output)) for output in cell["outputs"]]
        cell.pop("id"), cell["metadata"].pop("mystnb", None)
    return [content]


@pytest.fixture(scope="module")
def hostile(tmp_path_factory) -> tuple[Path, str, dict[str, str]]:
    """A file that hostile texts try to read, all of these texts in one, and the pages of a book that has them."""
    folder = tmp_path_factory.mktemp("hostile")
    secret = folder / "secret.txt"
    secret.write_text("CANARY")
    words = "".join(HOSTILE).replace("/etc/passwd", str(secret))
    return secret, words, build_book(folder, lambda _: words)


def test_every_page_has_the_structure_that_harmless_texts_give(hostile, tmp_path):
    secret, words, pages = hostile
    harmless = build_book(tmp_path, lambda _: "x" * len(words))
    assert pages.keys() == harmless.keys() and len(pages) > 20
    assert str(secret) in pages["generated/questions/continued/protocol.md"]
    assert str(secret) in pages["generated/status.md"] and str(secret) in pages["generated/cost.md"]
    changed = [name for name in pages if pages[name] != harmless[name]]
    assert len(changed) > 8
    for name in changed:
        one, other = describe_page(name, pages[name]), describe_page(name, harmless[name])
        assert one == other, next((name, a, b) for a, b in zip(one, other, strict=False) if a != b)


@pytest.mark.parametrize("words", HOSTILE)
def test_escaped_text_is_one_text_in_every_place(words):
    check_places(words)


@settings(deadline=None, max_examples=40, derandomize=True)
@given(st.text("`~:{}[]()<>$|\\*_#-+=.!&;'\"@^%1x \n\r\u2028\x00\ud800", min_size=1, max_size=12))
def test_any_text_is_one_text_in_every_place(words):
    check_places(words)


def check_places(words: str) -> None:
    harmless = "x"
    for build in (
        lambda word: f"# {markdown_text(word)}\n\nx {markdown_text(word)} x\n\n- {code_span(word)}\n",
        lambda word: f"- x\n- {markdown_text(word) or 'x'}\n- x\n",
        lambda word: markdown_table(["a", "b"], [[f"[x{markdown_text(word)}](x.md)", code_span(word)], ["x", "x"]]),
        lambda word: f"\n{table([html_text(word)], [[text(word, 'en')]], [word]).data}\n\n{notes([word])}\n\nend\n",
        lambda word: f'<p title="{html_text(word)}">{html_text(word)}</p>\n\nend\n',
    ):  # fmt: skip
        page, expected = parse_markdown(build(words)), parse_markdown(build(harmless))
        assert [token for token in page if token != ("text",)] == [token for token in expected if token != ("text",)]


def test_text_arrives_as_it_was():
    from markdown_it import MarkdownIt

    words = "a*b_c|d `e` <f> & {g} $h$ [i](j) # k ~ l ^ m \\ n: o::p - 1. q"
    assert html_text(words) in MarkdownIt().enable("table").render(markdown_table([markdown_text(words)], [])).replace(
        "'", "&#x27;"
    )


@pytest.mark.parametrize(
    "html, expected",
    [
        ("<b onclick=x>a</b><script>alert(1)</script>", "<b>a</b>alert(1)"),
        ('<a href="javascript:x">a</a><img src=x onerror=y>', "a"),
        ('<p style="background: url(x); color: red; position: fixed">a', '<p style="color: red">a</p>'),
        ("</div></div><p>a\n\n# b</p>", "<p>a  # b</p>"),
        ("<div class='stilts-note math'>$x$</div><!-- c --><?d?><![CDATA[e]]>", '<div class="stilts-note">$x$</div>'),
        ("<svg><style><img src=x></style></svg><textarea><b>", "&lt;img src=x&gt;<b></b>"),
    ],
)
def test_html_of_a_notebook_keeps_only_tags_of_this_package(html, expected):
    assert clean_html(html) == f'<div class="mathjax_ignore">{expected}</div>'


def test_tables_and_cards_of_this_package_pass_unchanged():
    (record,) = grid_records("lab", ("mnli",), ("xnli",))
    from stilts_core.report.figures.run import draw_scores
    from stilts_core.report.tables import cards, run

    for build in (run.phases, run.scores, run.cost, run.provenance, cards.summary, cards.tasks, cards.errors):
        html = build(record).data
        assert parse_html(clean_html(html))[1:-1] == parse_html(html)
    assert is_plain_svg(draw_scores(record).data)


@pytest.mark.parametrize("words", HOSTILE)
def test_text_of_a_notebook_from_elsewhere_has_only_headings_and_paragraphs(words):
    cell = {"cell_type": "markdown", "id": "title", "metadata": {}, "source": words, "attachments": {"x": {}}}
    (built,) = build_notebook({"cells": [cell]}, "pair")["cells"]
    kinds = {token[0] for token in parse_markdown(built["source"])}
    allowed = {"paragraph_open", "paragraph_close", "heading_open", "heading_close", "inline", "text", "softbreak"}
    assert kinds <= allowed and "attachments" not in built


SVG = '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink">{}</svg>'


@pytest.mark.parametrize(
    "content",
    [
        "<script>x</script>", '<g onload="x"/>', '<a xlink:href="javascript:x"/>', '<image href="http://host/x"/>',
        "<foreignObject/>", "<style>@import 'x'</style>", '<rect style="fill: url(http://host/)"/>', "<g>",
        '<animate attributeName="href"/>', '<x:script xmlns:x="http://www.w3.org/1999/xhtml">x</x:script>',
    ],
)  # fmt: skip
def test_picture_that_does_more_than_draw_is_not_shown(content):
    assert is_plain_svg(SVG.format("<g/>")) and not is_plain_svg(SVG.format(content))
    output = {"output_type": "display_data", "metadata": {}, "data": {"image/svg+xml": [SVG.format(content)]}}
    cell = {"cell_type": "code", "id": "x", "metadata": {}, "source": "", "outputs": [output]}
    (built,) = build_notebook({"cells": [cell]}, "pair")["cells"]
    assert "image/svg+xml" not in built["outputs"][0]["data"]


def test_book_builder_reads_no_file_that_a_note_names(hostile, tmp_path):
    secret, _, pages = hostile
    (tmp_path / "source").mkdir()
    for name in ("generated/status.md", next(page for page in pages if re.match(r"pairs/.*\.md", page))):
        (tmp_path / "source" / Path(name).name).write_text(pages[name])
    (tmp_path / "source" / "conf.py").write_text(
        "extensions = ['myst_parser']\nmyst_enable_extensions = ['colon_fence', 'dollarmath', 'deflist']\n"
        "root_doc = 'status'\nhtml_theme = 'basic'\nsuppress_warnings = ['myst.xref_missing']\n"
    )
    command = [sys.executable, "-m", "sphinx", "-q", "-E", str(tmp_path / "source"), str(tmp_path / "site")]
    completed = subprocess.run(command, capture_output=True, text=True)
    assert completed.returncode == 0, completed.stderr
    for source in (tmp_path / "source").glob("*.md"):
        html = (tmp_path / "site" / source.with_suffix(".html").name).read_text()
        assert "CANARY" not in html and str(secret) in html
        tags = [tag for tag in parse_html(html) if tag[0] not in ("/", "declaration")]
        assert not [attrs for tag, attrs in tags if any(str(name).startswith("on") for name, _ in attrs)]
        assert not [attrs for tag, attrs in tags if "javascript:" in str(attrs).replace("title", "")]
