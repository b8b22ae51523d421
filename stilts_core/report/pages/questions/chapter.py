"""What a chapter is made of: a study with its registration, its recorded table if there is one, and its findings."""

from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from stilts_core.errors import StiltsError, StudyError
from stilts_core.studies.conduct import Study, conclude_study, open_study
from stilts_core.studies.findings import Finding
from stilts_core.studies.protocol import Contrast, Protocol
from stilts_core.studies.registration import Registration, Standing, judge, required_blocks
from stilts_core.studies.results import StudyTable, check_table, kept_table, read_table
from stilts_core.studies.sensitivity import Sensitivity, check_sensitivity


@dataclass(frozen=True)
class Chapter:
    """A study as its chapter shows it.

    `table` is None if the study has not been run, or if `problem` says why its table cannot be shown. `refusal` says
    why a table gives no findings. `findings` are in the order of the protocol's contrasts, or empty.
    """

    study: Study
    registration: Registration | None
    table: StudyTable | None
    problem: str
    findings: tuple[Finding, ...]
    refusal: str

    @property
    def name(self) -> str:
        """The name of the study."""
        return self.protocol.name

    @property
    def protocol(self) -> Protocol:
        """The protocol of the study."""
        return self.study.protocol

    @property
    def primary(self) -> Finding | None:
        """The finding of the primary contrast, if there is one."""
        return self.findings[0] if self.findings else None

    @property
    def pairs(self) -> list[tuple[Contrast, Finding]]:
        """Every contrast that has a finding, with it."""
        by_name = {finding.name: finding for finding in self.findings}
        return [(contrast, by_name[contrast.name]) for contrast in self.protocol.contrasts if contrast.name in by_name]

    @property
    def untested(self) -> list[Contrast]:
        """The contrasts that have no finding although others have one: too few of their pairs were not excluded."""
        tested = {finding.name for finding in self.findings}
        return [contrast for contrast in self.protocol.contrasts if tested and contrast.name not in tested]

    @cached_property
    def blocks(self) -> list[str]:
        """The blocks of the protocol that the table has."""
        present = set(self.table.provenance["blocks"]) if self.table else set()
        return [name for name in self.protocol.blocks if name in present]

    @property
    def required(self) -> tuple[str, ...]:
        """The blocks that make the study complete."""
        return required_blocks(self.protocol, self.registration)

    @property
    def stopped_early(self) -> bool:
        """Whether an amendment ended the study before the last block of its protocol."""
        return len(self.required) < len(self.protocol.blocks)

    @property
    def is_interim(self) -> bool:
        """Whether there is a table, and blocks that the study requires are missing in it."""
        return self.table is not None and not {*self.required} <= {*self.blocks}

    @cached_property
    def standing(self) -> Standing:
        """Whether the primary result is confirmatory, and why not."""
        return judge(self.protocol, self.registration, self.table)

    @cached_property
    def models(self) -> dict[str, Sensitivity | None]:
        """The confirmatory contrasts under other models, by name; None for a slope or a rule of choice."""
        found: dict[str, Sensitivity | None] = dict.fromkeys(contrast.name for contrast in self.protocol.family)
        for contrast in self.protocol.family:
            with suppress(StudyError):
                found[contrast.name] = check_sensitivity(self.require_table(), contrast)
        return found

    def require_table(self) -> StudyTable:
        """Return the table. Raises StudyError if there is none."""
        if self.table is None:
            raise StudyError(f"study {self.name} has no table; run `stilts study {self.name} --keep`")
        return self.table


def open_chapter(name: str, book_dir: Path, protocols: Path | None = None) -> Chapter:
    """Return the chapter of a study by its name, from the protocol and from the table that the book keeps.

    A damaged table or registration, or a table of another protocol, becomes the chapter's `problem`. Raises
    ConfigError for a wrong protocol.
    """
    study = open_study(name, protocols)
    registration, table, problem = None, None, ""
    try:
        registration = study.registration
        path = kept_table(name, book_dir)
        table = check_table(read_table(path), study.protocol) if path.exists() else None
    except StiltsError as error:
        problem = str(error)
    if table is None:
        return Chapter(study, registration, None, problem, (), "")
    try:
        return Chapter(study, registration, table, "", tuple(conclude_study(study, table)), "")
    except StiltsError as error:
        return Chapter(study, registration, table, "", (), str(error))
