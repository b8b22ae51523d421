"""Editions of the laboratory: the same grammars and meanings, with other words and harder tagging tasks."""

from dataclasses import dataclass

from stilts_core.laboratory.version import GENERATOR, VERSION


@dataclass(frozen=True)
class Edition:
    """What distinguishes one edition of the laboratory from the first one, which has the default values.

    `draw` chooses the words and sounds of the invented languages (see `redraw`). `doubtful_tags` makes tagging harder
    (see `tasks.doubtful_tags`). An encoder and everything that it is trained and scored on belong to one edition. Names
    and values of all fields identify what is generated.
    """

    draw: int = 0
    doubtful_tags: bool = False

    @property
    def files(self) -> dict[str, str]:
        """What takes the place of file names and checksums in the records of runs on generated data."""
        return {GENERATOR: VERSION} | ({} if self == Edition() else {"edition": repr(self)})


FIRST = Edition()
