"""What is particular to one question: what its arms are there for, its main figure, and its mechanism."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from stilts_core.report.figures.questions.intervals import PlottedInterval
from stilts_core.report.pages.questions.chapter import Chapter
from stilts_core.report.pages.questions.controls import Controls
from stilts_core.studies.findings import Finding
from stilts_core.studies.inference import Effect

# Introduces the contrast that is the question itself, where the primary one asks something before it.
AS_ASKED = "As asked"


@dataclass(frozen=True)
class Published:
    """What other work reports, as a clause in MyST, and the sign of the contrast that it implies.

    `sign` is 1, −1, or 0 for no difference.
    """

    words: str
    sign: int


@dataclass(frozen=True)
class ChapterParts:
    """A question's own parts.

    `short` names it in a table. `purposes` and `controls` are as `build_protocol` and `build_controls` take them.
    `draw` makes the main figure from a chapter and a title, as SVG; `caption` says how to read it. Each function of
    `mechanism` returns the parts of one section as MyST, beginning with its heading; it raises StudyError where results
    do not suffice. `real` are those that the arm on real languages has, too. `beside` names the contrasts that the
    question asks for in so many words, besides the primary one. `second` is the one of them without which the primary
    one misleads, after the words that introduce it: a reader of the short pages needs both. `qualify` returns what the
    answer needs beside it, as parts in MyST. `criteria` says, from the chapter and its real arm, what came of
    the criteria that the page lists under "What would change our mind". `published` has what other work reports, by the
    name of the contrast that asks the same here.
    """

    short: str
    purposes: Mapping[str, str]
    controls: Controls
    draw: Callable[[Chapter, str], str]
    caption: Callable[[Chapter], str]
    mechanism: tuple[Callable[[Chapter], list[str]], ...]
    real: tuple[Callable[[Chapter], list[str]], ...] = ()
    beside: tuple[str, ...] = ()
    qualify: Callable[[Chapter], list[str]] | None = None
    criteria: Callable[[Chapter, Chapter | None], list[str]] | None = None
    published: Mapping[str, Published] = field(default_factory=dict)
    second: tuple[str, str] = ("", "")


def to_interval(effect: Effect | Finding) -> PlottedInterval:
    """The value and the interval of an effect, for a figure."""
    return PlottedInterval(effect.value, effect.low, effect.high)
