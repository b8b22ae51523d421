"""One edition of the laboratory as a source of examples, beside the publishers' files."""

from dataclasses import dataclass

from stilts_core.errors import DataNotFound
from stilts_core.laboratory import generator
from stilts_core.laboratory.edition import FIRST, Edition
from stilts_core.tasks.auxiliaries import LONG_TEXT
from stilts_core.tasks.examples import ExampleSet


@dataclass(frozen=True)
class Laboratory:
    """A source of examples (see `sources.parts.Source`) that are generated in the languages of one edition."""

    edition: Edition = FIRST

    def read(self, name: str, split: str, language: str = "en", *, limit: int = 0, seed: int = 0) -> ExampleSet:
        """At most `limit` examples of a part (0 = all), chosen by hash of `seed` and number."""
        return generator.read(name, split, language, limit=limit, seed=seed, edition=self.edition)

    def checksums(self, name: str, split: str, language: str = "en") -> dict[str, str]:
        """The version of the generator and, of a later edition, what distinguishes it; no examples are generated."""
        return self.edition.files

    def available_languages(self, name: str, split: str = "test") -> tuple[str, ...]:
        """The languages of a part of a task, nearest to English first."""
        return generator.available_languages(name, split)

    def unlabelled(
        self, language: str, *, examples: int | None = None, origin: str = "", selection: int = 0
    ) -> ExampleSet:
        """Unlabelled texts of a language, or the inputs of the dev part of the task `origin`."""
        if origin:
            limit = examples or 0
            return generator.task_inputs(
                _task(origin), language, limit=limit, selection=selection, edition=self.edition
            )
        return generator.unlabelled(language, examples=examples, edition=self.edition)

    def text_checksums(self, language: str, *, origin: str = "") -> dict[str, str]:
        """As `checksums`, of what `unlabelled` returns."""
        return self.edition.files

    def text_size(self, language: str, *, origin: str = "") -> int:
        """The number of unlabelled texts of a language, if no number is given."""
        return generator.text_size(language, task=_task(origin))

    def text_languages(self, *, origin: str = "") -> tuple[str, ...]:
        """The languages that have pretraining text, or in which the dev part of the task `origin` can be generated."""
        return generator.text_languages(task=_task(origin))

    def further_text_languages(self) -> tuple[str, ...]:
        """The languages that pretraining left out."""
        return generator.further_text_languages()


def _task(origin: str) -> str:
    """The task whose inputs an origin names, or nothing. Raises DataNotFound for longer text."""
    if origin == LONG_TEXT:
        raise DataNotFound(
            f"text_source is {LONG_TEXT!r}, and the laboratory has one running text; leave text_source out, and set "
            "text_examples for more of it"
        )
    return origin
