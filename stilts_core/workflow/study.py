"""`stilts study`: plans, registers, runs and concludes a study, and prints what each step found."""

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Literal

import click

from stilts_core.config import RunConfig
from stilts_core.errors import ConfigError
from stilts_core.parameters import read_names
from stilts_core.studies.conduct import choose_part, conduct, describe, describe_findings, open_study, register_study
from stilts_core.studies.reproduction import compare_runs
from stilts_core.studies.results import kept_table, write_table

Step = Literal["dry run", "register", "compare"]


def study(
    name: str,
    step: Step | None,
    seeds: int | None,
    changes: Sequence[str],
    blocks: str,
    parts: Sequence[str],
    keep: bool,
    cores: int | None,
    pages: bool,
    protocols_dir: Path | None,
    runs_dir: Path,
    book_dir: Path,
) -> None:
    """Do the study `name`, or one `step` of it; the parameters are the options of the command.

    With `parts` only some runs are done, and compared with the recorded ones. Raises ConfigError for options that do
    not go together, SweepError if a run failed, and StudyError if the results do not suffice.
    """
    if keep and (changes or seeds or parts):
        raise ConfigError(
            "the book keeps whole results of unchanged protocols only; leave out --keep, or --set, --seeds and --only"
        )
    opened = open_study(name, protocols_dir, _pairs("--set", changes), seeds)
    kept = kept_table(name, book_dir)
    if step == "compare":
        click.echo(compare_runs(opened, runs_dir, kept).sentence)
        return
    chosen, execute = read_names("blocks", blocks) if blocks else (), partial(_sweep, runs_dir, cores, pages)
    part = choose_part(opened, chosen, _pairs("--only", parts)) if chosen or parts else None
    if step == "register":
        register_study(opened)
    click.echo(describe(opened, part))
    if step:
        return
    if parts and part:
        if not opened.changed:
            register_study(opened)
        execute(part.configs)
        if kept.exists():
            click.echo(compare_runs(opened, runs_dir, kept).sentence)
        return
    table = conduct(opened, execute, runs_dir, blocks=chosen, kept=kept)
    if keep:
        click.echo(f"Table: {write_table(kept, table)}")
    click.echo(describe_findings(opened, table))


def _pairs(option: str, texts: Sequence[str]) -> dict[str, str]:
    if wrong := [text for text in texts if "=" not in text]:
        raise ConfigError(f"{option} is {wrong[0]!r}; write NAME=VALUES, such as targets=udpos,panx")
    return dict(text.split("=", 1) for text in texts)


def _sweep(runs_dir: Path, cores: int | None, pages: bool, configs: Sequence[Mapping[str, Any]]) -> None:
    from stilts_core.workflow.sweep import sweep  # imports Snakemake

    common = {"runs_dir": str(runs_dir), "quiet": True}
    sweep([RunConfig.from_dict({**config, **common}) for config in configs], cores=cores, no_page=not pages)
