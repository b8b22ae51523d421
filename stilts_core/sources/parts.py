"""The parts of a run's data: one task, split and language of one source, with its checksums and its examples.

A list of parts, made from a configuration, serves both the name of a run (by checksums) and its training (by reading).
"""

from dataclasses import dataclass
from typing import Protocol

from stilts_core.tasks.catalogue import Task
from stilts_core.tasks.examples import ExampleSet


class Source(Protocol):
    """Where examples come from: an edition of the laboratory (`laboratory.source`), or `sources.publishers`."""

    def read(self, name: str, split: str, language: str = "en", *, limit: int = 0, seed: int = 0) -> ExampleSet:
        """At most `limit` examples of a part (0 = all), chosen by hash of `seed` and id."""

    def checksums(self, name: str, split: str, language: str = "en") -> dict[str, str]:
        """The `files` of the part, without making examples."""

    def available_languages(self, name: str, split: str = "test") -> tuple[str, ...]:
        """The languages that the part has."""

    def unlabelled(
        self, language: str, *, examples: int | None = None, origin: str = "", selection: int = 0
    ) -> ExampleSet:
        """Unlabelled texts of a language from an origin: "" (running text), LONG_TEXT (more of it), or a task.

        Those of a task are the inputs of its dev part. `examples` is the largest number of texts; files have them
        chosen by a hash of `selection` and id.
        """

    def text_checksums(self, language: str, *, origin: str = "") -> dict[str, str]:
        """The `files` of the unlabelled text."""

    def text_size(self, language: str, *, origin: str = "") -> int:
        """How many unlabelled texts are generated if no number is given; 0 for text that is read whole."""

    def text_languages(self, *, origin: str = "") -> tuple[str, ...]:
        """The languages that have unlabelled text."""

    def further_text_languages(self) -> tuple[str, ...]:
        """The languages that have running text only for those who ask for it by name: pretraining left them out."""


@dataclass(frozen=True)
class Part:
    """One part of one task in one language: at most `limit` of its examples (0 = all), chosen with `seed`."""

    source: Source
    task: Task
    split: str
    language: str = "en"
    limit: int = 0
    seed: int = 0

    def checksums(self) -> dict[str, str]:
        """The SHA-256 of every file that `read` reads, or the generator's version."""
        return self.source.checksums(self.task.name, self.split, self.language)

    def read(self) -> ExampleSet:
        """The examples. Raises DataNotFound or DataError as the source does."""
        return self.source.read(self.task.name, self.split, self.language, limit=self.limit, seed=self.seed)


@dataclass(frozen=True)
class TextPart:
    """The unlabelled text of one language, from an origin (see `Source.unlabelled`).

    At most `limit` texts (0 = all), chosen with `seed`. `size` is the number of texts that the language's share in
    sampling counts, 0 for as many as are read.
    """

    source: Source
    language: str
    limit: int = 0
    origin: str = ""
    seed: int = 0
    size: int = 0

    def checksums(self) -> dict[str, str]:
        """The SHA-256 of the file that `read` reads, or the generator's version."""
        return self.source.text_checksums(self.language, origin=self.origin)

    def read(self) -> ExampleSet:
        """The texts."""
        return self.source.unlabelled(
            self.language, examples=self.limit or None, origin=self.origin, selection=self.seed
        )
