"""Where the pages of a grid are: its files, the page with its tables, the pages of its targets and of its runs."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from stilts_core.report.page_writer import PageWriter
from stilts_core.report.tables.grid import Link

TO_BOOK = "../.."  # from the page of a target to the book's folder


@dataclass(frozen=True)
class GridPlace:
    """The place of one grid in the book, where another grid may be, too.

    `prefix` begins the names of its files in `generated`, `page` is the page with its tables, and `link` leads from
    there to the page of a run. `encoder` is its encoder's name if the page has grids of several encoders.
    """

    writer: PageWriter
    link: Link
    prefix: str = ""
    page: str = "results"
    encoder: str = ""

    def write(self, name: str, content: str) -> str:
        """Write a generated file and return its path in the book's folder."""
        path = f"generated/{self.prefix}{name}"
        self.writer.write(path, content)
        return path

    def write_csv(self, name: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
        """Write a generated CSV file and return its path in the book's folder."""
        return self.writer.write_csv(f"{self.prefix}{name}", columns, rows)

    def target_page(self, target: str) -> str:
        """The page of a target without its ending, from the book's folder."""
        return f"generated/{self.prefix}targets/{target}"

    def below_targets(self) -> "GridPlace":
        """The same place as the page of a target sees it."""
        return replace(self, link=lambda run: self.link(run) and f"{TO_BOOK}/{self.link(run)}")
