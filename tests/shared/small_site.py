"""A small checkout with a book: a git repository on GitHub, as far as its remote says."""

import json
import os
import shutil
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[2]
REMOTE = "git@github.com:Some-Owner/some-book.git"
REPOSITORY, ADDRESS = "https://github.com/Some-Owner/some-book", "https://some-owner.github.io/some-book/"
PICTURE = '<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><path d="M 0 0 L 9 9"/></svg>'
# What a page of the theme has, as far as publishing reads it.
PAGE = """<!DOCTYPE html><html lang="en"><head><title>TITLE — A small book</title></head><body><nav class="bd-links">
<ul><li class="toctree-l1"><a href="UPbook/method.html">Method</a></li></ul>
<p class="caption"><span class="caption-text">What we found</span></p><ul>
<li class="toctree-l1"><a href="UPbook/answers.html">Answers</a>
<ul><li class="toctree-l2"><a href="UPbook/method.html">Below</a></li></ul></li>
<li class="toctree-l1"><a href="UPbook/claims.html">What holds?</a></li></ul>
<p class="caption"><span class="caption-text">Second</span></p>
<ul><li class="toctree-l1"><a href="UPbook/method.html">Method</a></li></ul></nav>
<article class="bd-article"><section id="top"><h1>TITLE<a class="headerlink" href="#top">#</a></h1>BODY</section>
</article>
<footer><div class="bd-footer-content__inner container"></div></footer></body></html>"""
ANSWERS = """<p>See <a href="claims.html#why">why</a>, <a href="method.html#how">how</a>, <a href="#top">above</a>,
<a href="https://example.org/paper?a=1&amp;b=2">a paper</a>, <a href="https://example.org/paper?a=1&amp;b=2">again</a>,
<span class="bibtex-citation" id="id1">[<a class="reference internal" href="method.html#id9">A20</a>]</span>.</p>
<img alt="A line" src="../_images/line.svg"/><details><summary>More</summary><p>Folded.</p></details>
<p><a class="reference download" href="../_images/line.svg">CSV</a></p><button>Go</button><script>go()</script>"""
CLAIMS = (
    """<section id="why"><h2 id="label">Why</h2><table aria-labelledby="label"><tr><td>1</td></tr></table></section>"""
)
METHOD = """<p id="how">So.</p><div class="citation" id="id9"><span class="label"><span>[</span>A20<span>]</span></span>
<p>Anna Author. <em>A work</em>. 2020.</p></div>"""


def write_site(site: Path) -> Path:
    """Write a site of three pages by hand; returns its folder."""
    pages = {"answers": ("Answers", ANSWERS), "claims": ("What holds?", CLAIMS), "method": ("Method", METHOD)}
    for folder in ("book", "_images", "_static"):
        (site / folder).mkdir(parents=True)
    for name, (title, body) in pages.items():
        page = PAGE.replace("TITLE", title).replace("BODY", body).replace("UP", "../")
        (site / "book" / f"{name}.html").write_text(page, encoding="utf-8")
    (site / "index.html").write_text('<meta http-equiv="Refresh" content="0; url=book/answers.html" />\n')
    (site / "_images" / "line.svg").write_text(PICTURE)
    for name in ("stilts.css", "print.css"):
        shutil.copy(ROOT / "book" / "_static" / name, site / "_static")
    return site


def git(folder: Path, *arguments: str) -> str:
    """What a git command prints in a repository, with a user of its own."""
    user = ("-c", "user.name=Somebody", "-c", "user.email=somebody@example.org")
    environment = os.environ | {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}
    command = ["git", "-C", str(folder), *user, *arguments]
    return subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout.strip()


def commit_checkout(folder: Path) -> str:
    """Make `folder` a repository whose remote has its commit; returns the commit."""
    for name in ("LICENSE", "CITATION.cff", "pyproject.toml"):
        shutil.copy(ROOT / name, folder)
    (folder / ".gitignore").write_text("_build/\npublic/\n")
    git(folder, "init", "--quiet", "--initial-branch=main")
    git(folder, "remote", "add", "origin", REMOTE)
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message=A small book")
    git(folder, "update-ref", "refs/remotes/origin/main", "HEAD")
    return git(folder, "rev-parse", "HEAD")


def write_sources(folder: Path) -> None:
    """Write the sources of a small book with this repository's configuration: chapters, a run, a lesson, a notebook."""
    shutil.copy(ROOT / "_config.yml", folder)
    for name in ("_static", "references.bib"):
        source, place = ROOT / "book" / name, folder / "book" / name
        place.parent.mkdir(exist_ok=True)
        (shutil.copytree if source.is_dir() else shutil.copy)(source, place)
    pages = {
        "introduction": "# A small book\n\nRead the [answers](answers.md).\n",
        "answers": "# Answers\n\nSee {cite}`phang2020english`, {ref}`why` and "
        "[the method](method.md).\n\n![A line](line.svg)\n",
        "claims": "# What holds?\n\n(why)=\n## Why\n\n[A paper](https://example.org/paper)\n",
        "method": "# Method\n\nIt is $x^2$.\n",
        "bibliography": "# Bibliography\n\n```{bibliography}\n```\n",
    }
    for name, text in pages.items():
        (folder / "book" / f"{name}.md").write_text(text)
    (folder / "book" / "line.svg").write_text(PICTURE)
    language = {"name": "python", "pygments_lexer": "ipython3"}
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    for name in ("pairs/mnli-xnli-lab-s0-0123456789", "lessons/three_phases", "lessons/question-ratio", "own"):
        cell = {"cell_type": "markdown", "id": "title", "metadata": {}, "source": f"# {name}\n"}
        metadata = {"kernelspec": kernel, "language_info": language, "orphan": True}
        notebook = {"cells": [cell], "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}
        path = folder / "book" / f"{name}.ipynb"
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps(notebook))
    (folder / "book" / "generated" / "static").mkdir(parents=True)  # where a report writes the explorer's script
    (folder / "_toc.yml").write_text(
        "format: jb-book\nroot: book/introduction\nparts:\n"
        "  - caption: What we found\n    chapters: [{file: book/answers}, {file: book/claims}]\n"
        "  - caption: How\n    chapters: [{file: book/method}, {file: book/bibliography}]\n"
    )
