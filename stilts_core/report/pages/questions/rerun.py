"""The section "How to rerun it" of a chapter: the command, its forecast, and what the recorded runs took."""

from typing import Any

from stilts_core.report.escape import code_span, markdown_text
from stilts_core.report.pages.questions.chapter import Chapter
from stilts_core.report.tables.html import count, format_duration, markdown_table, minute
from stilts_core.studies.conduct import open_study
from stilts_core.studies.protocol import FEWEST_ENCODERS


def build_rerun(chapter: Chapter) -> str:
    """The section, as MyST."""
    size, name = chapter.study.forecast, chapter.name
    measuring = f", {size.measuring:.1f} of them measuring latency" if size.measuring else ""
    parts = [
        f"```bash\nstilts study {name} --dry-run  # its size and power\n"
        f"stilts study {name} --keep     # its runs and findings\n```",
        f"Forecast: {count(size.runs, 'run')} with {count(size.phases, 'shared intermediate phase')}, "
        f"{size.core_hours:.1f} core-hours{measuring}.{_stopped(chapter)} Finished runs are reused, also those of "
        f"other studies, and the same command resumes.{_blocks(chapter)}",
        *_smaller(chapter),
        *_measured(chapter),
    ]
    return "\n\n".join(parts) + "\n"


def _stopped(chapter: Chapter) -> str:
    """How much of the forecast the command does where an amendment stopped the study."""
    if not chapter.stopped_early:
        return ""
    every = count(len(chapter.protocol.blocks), chapter.protocol.block_noun)
    return f" That is the size with {every}; the command stops after {len(chapter.required)}."


def _blocks(chapter: Chapter) -> str:
    """How a part of the study is done."""
    if chapter.protocol.latency:
        return ""
    first, noun = chapter.protocol.blocks[0], chapter.protocol.block_noun
    return f" `--blocks {markdown_text(first)}` does the runs of one {noun}, and joins them to the table."


def _smaller(chapter: Chapter) -> list[str]:
    """The same study at a reader's size: as many encoders as an interval needs."""
    encoders = chapter.protocol.encoders[:FEWEST_ENCODERS]
    if len(encoders) == len(chapter.protocol.encoders):
        return []
    changes = {"encoders": ",".join(encoders), "targets": chapter.protocol.primary.target}
    small = open_study(chapter.name, chapter.study.path.parent, changes).forecast
    options = "".join(f" \\\n  --set {name}={value}" for name, value in changes.items())
    return [
        f"At a reader's size, with {len(encoders)} encoders and the target of the primary contrast, it takes "
        f"{small.core_hours:.1f} core-hours and is exploratory:",
        f"```bash\nstilts study {chapter.name}{options}\n```",
    ]


def computing_seconds(chapter: Chapter) -> tuple[float, float]:
    """The wall-clock time of the recorded runs, each on one core, and of the intermediate phases that they share.

    A phase has the same time in every run that shares it, so it is counted once for each encoder and seed. The time of
    measuring latency is in neither.
    """
    if chapter.table is None:
        return 0.0, 0.0
    known: dict[str, Any] = chapter.table.provenance["blocks"]
    frame = chapter.table.frame
    phases = frame[frame["metric"] == "seconds:intermediate"].drop_duplicates(["encoder", "seed", "score"])
    return sum(float(known[name].get("seconds", 0)) for name in chapter.blocks), float(phases["score"].sum())


def _measured(chapter: Chapter) -> list[str]:
    """What the recorded runs took, by block, and where they were done."""
    if chapter.table is None:
        return []
    known: dict[str, Any] = chapter.table.provenance["blocks"]
    blocks = {name: known[name] for name in chapter.blocks}
    rows = [
        [
            code_span(name),
            block.get("records", "–"),
            format_duration(float(block.get("seconds", 0))),
            markdown_text(minute(str(block.get("first_started", "–")))),
            markdown_text(minute(str(block.get("last_finished", "–")))),
            code_span(str(block.get("fingerprint", ""))[:12]),
        ]
        for name, block in blocks.items()
    ]
    own, shared = computing_seconds(chapter)
    machine = [str(chapter.table.provenance["machine"])] if "machine" in chapter.table.provenance else []
    processors = [*_distinct(blocks, "processors"), *machine]
    revisions = [revision[:12] for revision in _distinct(blocks, "revisions")]
    return [
        f"Measured: {count(sum(int(block.get('records', 0)) for block in blocks.values()), 'record')} took "
        f"{format_duration(own)} of wall-clock time, summed over the runs{_of_phases(shared)}. "
        f"Processors: {'; '.join(map(markdown_text, processors))}. Revisions: {', '.join(map(code_span, revisions))}.",
        markdown_table(
            [chapter.protocol.block_noun, "records", "time", "first start (UTC)", "last end (UTC)", "fingerprint"], rows
        ),
    ]


def _of_phases(seconds: float) -> str:
    """The time of shared phases, which a table of latency does not have."""
    return f", and the intermediate phases that runs share took {format_duration(seconds)}" if seconds else ""


def _distinct(blocks: dict[str, Any], name: str) -> list[str]:
    return list(dict.fromkeys(str(value) for block in blocks.values() for value in block.get(name, ())))
