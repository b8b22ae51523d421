"""Check pages of every kind with axe-core in headless Chromium: in light and dark, on a desktop and on a phone.

`make a11y` runs this on the built book; the names of kinds as arguments choose among them. It prints every violation,
and ends with status 1 if one is serious or critical. Before that it checks itself: axe-core must report the violations
that are planted on a page of its own.
"""

import json
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

FOLDER = Path(__file__).parent
sys.path.insert(0, str(FOLDER.parent / "shared"))  # as pytest does

from browser import CHROMIUM, PHONE, run_script  # noqa: E402

AXE = FOLDER / "node_modules" / "axe-core" / "axe.min.js"
SITE = FOLDER.parents[1] / "_build" / "html"
DESKTOP = 1280  # CSS pixels
CONDITIONS = [(mode, width) for mode in ("light", "dark") for width in (DESKTOP, PHONE)]
GRAVE = ("serious", "critical")
SHOWN_ELEMENTS = 4  # of one rule, which are printed
TIMEOUT = 3600  # seconds, on a busy machine
# One page of each kind: the first that matches, in alphabetical order.
KINDS = {
    "introduction": "book/introduction.html",
    "answers": "book/answers.html",
    "claims": "book/claims.html",
    "chapter": "book/questions/choice.html",
    "tasks": "book/tasks.html",
    "languages": "book/languages.html",
    "language": "book/generated/languages/qdu.html",
    "results": "book/results.html",
    "target": "book/generated/targets/*.html",
    "recorded grid": "book/wide.html",
    "recorded grid, real": "book/real.html",
    "transfer": "book/transfer.html",
    "run": "book/pairs/*-*.html",
    "published": "book/published.html",
    "cost": "book/cost.html",
    "lesson": "book/lessons/*.html",
}
PLANTED = {  # rules of axe-core, and what breaks them
    "image-alt": '<img src="data:image/gif;base64,R0lGODlhAQABAAAAACw=">',
    "color-contrast": '<p style="color: #bbb; background: #fff">pale words</p>',
    "button-name": "<button></button>",
}

# Opens every page in a frame, in each mode and width, with all details open, and runs axe-core inside of it.
SCRIPT = """<!doctype html><html lang="en"><title>checking</title><body><script>
const AXE = %(axe)s;
(async () => {
  const found = [];
  const visits = %(pages)s.flatMap((page) => %(conditions)s.map(([mode, width]) => ({page, mode, width})));
  visits.unshift({...visits[0], first: true}); // loads the fonts: without them icons are taken for letters
  for (const {page, mode, width, first} of visits) {
    localStorage.setItem("mode", mode);
    localStorage.setItem("theme", mode);
    const frame = document.createElement("iframe");
    frame.style = `width: ${width}px; height: 900px; border: 0`;
    const loaded = new Promise((done) => { frame.onload = done; });
    frame.src = page;
    document.body.append(frame);
    await loaded;
    await Promise.allSettled([...frame.contentDocument.fonts].map((face) => face.load()));
    if (first) {
      frame.remove();
      continue;
    }
    const inside = frame.contentDocument;
    for (const details of inside.querySelectorAll("details")) details.open = true;
    const script = inside.createElement("script");
    script.textContent = AXE;
    inside.head.append(script);
    const results = await frame.contentWindow.axe.run(inside, {resultTypes: ["violations"]});
    for (const {id, impact, help, nodes} of results.violations) {
      const elements = nodes.map((node) => [node.target.join(" "), node.html.slice(0, 200), node.failureSummary]);
      found.push({page, mode, width, id, impact, help, elements, theme: inside.documentElement.dataset.theme});
    }
    frame.remove();
  }
  document.body.textContent = JSON.stringify(found);
})();
</script>"""


def find_pages(site: Path) -> dict[str, str]:
    """The pages to check by kind, as addresses in the site. Raises SystemExit if a kind has no page."""
    pages = {kind: next(iter(sorted(site.glob(pattern))), None) for kind, pattern in KINDS.items()}
    if missing := [f"{kind} ({KINDS[kind]})" for kind, page in pages.items() if page is None]:
        raise SystemExit(f"{site} has no page of these kinds: {', '.join(missing)}. Build the book first: make book")
    return {kind: str(page.relative_to(site)) for kind, page in pages.items() if page}


def run_axe(site: Path, pages: Sequence[str]) -> list[dict]:
    """All violations on `pages` under all conditions, as axe-core reports them."""
    source = json.dumps(AXE.read_text(encoding="utf-8")).replace("</", "<\\/")
    page = SCRIPT % {"axe": source, "pages": json.dumps(list(pages)), "conditions": json.dumps(CONDITIONS)}
    with tempfile.TemporaryDirectory() as scratch:
        found, _ = run_script(site, page, Path(scratch), timeout=TIMEOUT)
    return found


def check_planted() -> None:
    """Raise SystemExit unless axe-core finds what is planted, under every condition."""
    with tempfile.TemporaryDirectory() as folder:
        body = "".join(PLANTED.values())
        Path(folder, "planted.html").write_text(f'<!doctype html><html lang="en"><title>t</title><main>{body}</main>')
        found = {(entry["mode"], entry["width"], entry["id"]) for entry in run_axe(Path(folder), ["planted.html"])}
    missed = [(*condition, rule) for condition in CONDITIONS for rule in PLANTED if (*condition, rule) not in found]
    if missed:
        raise SystemExit(f"axe-core did not report planted violations: {missed}")


def describe(violations: Sequence[dict]) -> list[str]:
    """Lines about violations: for each rule the pages with the number of their elements, and the first elements."""
    rules: dict[tuple[str, str, str], list[dict]] = {}
    for entry in violations:
        rules.setdefault((entry["impact"], entry["id"], entry["help"]), []).append(entry)
    lines = []
    for (impact, rule, help_text), entries in sorted(rules.items()):
        lines.append(f"{impact}: {rule} ({help_text})")
        pages = dict.fromkeys(entry["page"] for entry in entries)
        for page in pages:
            counts = (f"{e['mode']} {e['width']}: {len(e['elements'])}" for e in entries if e["page"] == page)
            lines.append(f"    {page}, elements in {', '.join(counts)}")
        distinct = {html: (target, why) for entry in entries for target, html, why in entry["elements"]}
        for html, (target, why) in sorted(distinct.items())[:SHOWN_ELEMENTS]:
            lines.append(f"      {target}\n        {' '.join(html.split())}\n        {' '.join(why.split())}")
    return lines


def main() -> int:
    """Check the built book, or only the kinds of pages that are arguments; returns the exit status."""
    if CHROMIUM is None or not AXE.is_file():
        raise SystemExit("make a11y needs chromium and npm: apt-get install chromium npm")
    pages = find_pages(SITE)
    if unknown := set(sys.argv[1:]) - set(pages):
        raise SystemExit(f"no kinds of pages: {', '.join(sorted(unknown))}; choose among {', '.join(pages)}")
    pages = {kind: page for kind, page in pages.items() if kind in sys.argv[1:] or not sys.argv[1:]}
    check_planted()
    violations = run_axe(SITE, list(pages.values()))
    print("\n".join(describe(violations)))
    grave = [entry for entry in violations if entry["impact"] in GRAVE]
    print(
        f"{len(pages)} pages in {len(CONDITIONS)} conditions: {len(grave)} serious or critical violations, "
        f"{len(violations) - len(grave)} others; all {len(PLANTED)} planted violations were found."
    )
    return 1 if grave else 0


if __name__ == "__main__":
    sys.exit(main())
