"""The folder that a web server such as GitHub Pages serves: the built book, and what belongs beside it.

Every page gets its canonical address, and a footer with the version and a link to the exact commit. The folder appears
whole, after its links, paths and sizes were checked.
"""

import html
import shutil
from collections.abc import Sequence
from os.path import relpath
from pathlib import Path
from urllib.parse import quote

from stilts_core.errors import ConfigError
from stilts_core.report.publishing.links import find_broken_links, list_pages
from stilts_core.report.publishing.print_page import NAME as PRINT_PAGE
from stilts_core.report.publishing.print_page import build_print_page
from stilts_core.report.publishing.publication import LISTED, Publication, read_publication
from stilts_core.storage.atomic import whole_folder

BESIDE = ("LICENSE", "CITATION.cff")  # files of the repository that are published, too
MARKER = ".nojekyll"  # GitHub Pages then serves folders whose names begin with an underscore
LARGEST_FILE = 100 * 2**20  # bytes; GitHub refuses larger files
LARGEST_SITE = 10**9  # bytes; the limit of GitHub Pages
WITHOUT_CONTENT = ("search.html", "genindex.html")  # pages that no search engine should show
HEAD_END, FOOTER = "</head>", '<div class="bd-footer-content__inner container">'
TEXT = {".html", ".js", ".json", ".css", ".svg", ".md", ".ipynb", ".csv", ".txt", ".xml", ".cff", ".bib"}


def publish(root: Path, site: Path, folder: Path) -> str:
    """Write the book built in `site` to `folder`, for a web server; returns one sentence on the result.

    `root` is the checkout. Raises ConfigError if it has changes that are not committed, if the book is not built, if an
    address is unknown, if a link within the book is broken, if a text names a folder of this machine, if a file or the
    whole is too large, and if `folder` holds something else than a published book.
    """
    publication = read_publication(root)
    if not (site / "index.html").is_file():
        raise ConfigError(f"no built book in {site}; build it with `make book`")
    if folder.exists() and any(folder.iterdir()) and not (folder / MARKER).is_file():
        raise ConfigError(f"{folder} is not empty and holds no published book; name another folder, or empty it")
    with whole_folder(folder) as staging:
        shutil.copytree(site, staging, dirs_exist_ok=True, ignore=shutil.ignore_patterns(".buildinfo"))
        _write_companions(root, staging, publication)
        for problems, meaning in (
            (find_broken_links(staging), "links within the book are broken; correct their pages, and build it again"),
            (find_local_paths(staging, root), "places name a folder of this machine; run again what wrote them"),
            (_find_large_files(staging), "files are larger than GitHub allows; leave out the runs that made them"),
        ):
            if problems:
                raise ConfigError(f"{len(problems)} {meaning}:\n  " + "\n  ".join(problems[:LISTED]))
        files = [path.stat().st_size for path in staging.rglob("*") if path.is_file()]
        if sum(files) > LARGEST_SITE:
            raise ConfigError(
                f"the book has {sum(files) / 1e6:,.0f} MB, more than GitHub Pages' 1,000; show fewer runs"
            )
        if folder.exists():
            shutil.rmtree(folder)
    return (
        f"{folder}: {len(files)} files, {sum(files) / 1e6:.1f} MB, version {publication.version}, commit "
        f"{publication.commit.name[:12]}, for {publication.address}"
    )


def find_local_paths(folder: Path, root: Path) -> list[str]:
    """The first place in every text of `folder` that names the checkout or the home folder, by file and line."""
    places = {f"{path}/".encode() for path in (root.resolve(), Path.home()) if path.name}
    found = []
    for path in sorted(folder.rglob("*")):
        if path.suffix in TEXT and path.is_file():
            content = path.read_bytes()
            for place in sorted(places):
                if (start := content.find(place)) >= 0:
                    line = content.count(b"\n", 0, start) + 1
                    found.append(f"{path.relative_to(folder)}, line {line}: {place.decode(errors='replace')}")
    return found


def _find_large_files(folder: Path) -> list[str]:
    sizes = ((path, path.stat().st_size) for path in sorted(folder.rglob("*")) if path.is_file())
    return [f"{path.relative_to(folder)}: {size / 1e6:,.0f} MB" for path, size in sizes if size > LARGEST_FILE]


def _write_companions(root: Path, folder: Path, publication: Publication) -> None:
    """Write into the copy of a built book what it has beside its pages, and the commit into every page."""
    pages = list_pages(folder)
    (folder / PRINT_PAGE).write_text(build_print_page(folder, publication), encoding="utf-8")
    for page in pages:
        page.write_text(_stamp_page(page, folder, publication), encoding="utf-8")
    for name in BESIDE:
        shutil.copy(root / name, folder)
    (folder / MARKER).touch()
    (folder / "robots.txt").write_text(f"User-agent: *\nAllow: /\nSitemap: {publication.address}sitemap.xml\n")
    (folder / "sitemap.xml").write_text(_build_sitemap(pages, folder, publication), encoding="utf-8")


def _build_sitemap(pages: Sequence[Path], folder: Path, publication: Publication) -> str:
    """The list of pages for search engines, in the protocol of sitemaps.org; a redirection is no page."""
    names = [page.relative_to(folder).as_posix() for page in pages if HEAD_END in page.read_text(encoding="utf-8")]
    places = [html.escape(publication.address + quote(name)) for name in names if name not in WITHOUT_CONTENT]
    entries = [f"  <url><loc>{place}</loc><lastmod>{publication.commit.date}</lastmod></url>" for place in places]
    lines = [
        '<?xml version="1.0" encoding="UTF-8"?>',
        '<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">',
        *entries,
        "</urlset>",
    ]
    return "\n".join(lines) + "\n"


def _stamp_page(page: Path, folder: Path, publication: Publication) -> str:
    """The HTML of a page with its canonical address in the head, and the version and the commit in the footer.

    A page without a head is a redirection, and remains as it is.
    """
    text = page.read_text(encoding="utf-8")
    if HEAD_END not in text:
        return text
    address = html.escape(publication.address + quote(page.relative_to(folder).as_posix()))
    text = text.replace(HEAD_END, f'<link rel="canonical" href="{address}" />\n{HEAD_END}', 1)
    links = {
        relpath(folder / PRINT_PAGE, page.parent): "What we found, on one page to print",
        relpath(folder / "CITATION.cff", page.parent): "Cite",
        relpath(folder / "LICENSE", page.parent): "Licence",
    }
    commit = f'<a href="{html.escape(publication.commit_url)}">{publication.commit.name[:12]}</a>'
    parts = [
        f"Version {html.escape(publication.version)}, commit {commit} of {publication.day}",
        *(f'<a href="{link}">{words}</a>' for link, words in links.items()),
    ]
    return text.replace(FOOTER, f'{FOOTER}\n<p class="stilts-edition">{" · ".join(parts)}</p>', 1)
