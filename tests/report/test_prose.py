"""The prose of the book: its measured numbers are computed, and stand in generated parts alone."""

import re
from pathlib import Path

import pytest

BOOK = Path(__file__).parents[2] / "book"
PAGES = sorted(path for path in BOOK.rglob("*.md") if "generated" not in path.parts and "pairs" not in path.parts)
LEVEL = re.compile(r"\b(95|90|5)\s%")  # of intervals and tests: chosen, and not measured
MEASURED = re.compile(r"\d\.\d|\d\s?%|[±+−]\s?\d")


def prose(page: Path) -> str:
    """The text of a page without fenced blocks, code and formulas, and without levels."""
    text = re.sub(r"(?ms)^(`{3,}|~{3,}).*?^\1`*$", "", page.read_text(encoding="utf-8"))
    text = re.sub(r"`[^`]*`|\$\$.*?\$\$|\$[^$]*\$|\]\([^)]*\)", "", text, flags=re.S)
    return LEVEL.sub("", text)


def test_pages_are_found():
    assert len(PAGES) > 20 and BOOK / "introduction.md" in PAGES


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.relative_to(BOOK).as_posix())
def test_no_measured_number_is_written_by_hand(page):
    assert MEASURED.findall(prose(page)) == []


@pytest.mark.parametrize("text", ["gains 3.5 points", "by 12 %", "a loss of −4", "+8 on TyDiQA"])
def test_measured_number_in_prose_is_found(tmp_path, text):
    page = tmp_path / "page.md"
    page.write_text(f"# Title\n\nThe task {text}, in a 95 % interval; `x = 1.5` and $0.5$ are none.\n")
    assert MEASURED.findall(prose(page)) != []
    page.write_text("# Title\n\nThe 95 % interval; `x = 1.5` and $0.5$ are none.\n```bash\nrun --lr 1.5\n```\n")
    assert MEASURED.findall(prose(page)) == []
