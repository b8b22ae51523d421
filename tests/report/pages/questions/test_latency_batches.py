"""The chapter of latency tells latency and throughput apart, and says for which of them its gate holds."""

import numpy as np
import pytest
from question_fixture import ENCODERS, invent_table, keep_table, write_protocols, write_real_arm

from stilts_core.report.pages.questions.chapter import open_chapter
from stilts_core.report.pages.questions.contrasts import list_notes
from stilts_core.report.pages.questions.latency import PARTS, explain_gate
from stilts_core.report.pages.questions.latency_batches import answer_batches, explain_batches, qualify_gate
from stilts_core.report.pages.questions.real_arm import build_real_arm
from stilts_core.studies.protocol import read_protocol
from stilts_core.studies.results import StudyTable, kept_table, write_table

OPEN, WITHIN = "is open", "leaves processor time unchanged within ±2 %"


@pytest.fixture
def protocols(tmp_path):
    return write_protocols(tmp_path / "protocols")


def chapter_of(book, protocols, change=lambda frame: 1.0):
    """The chapter with invented times, multiplied by what `change` returns for their table."""
    table = keep_table(book, protocols, "latency")
    frame = table.frame.assign(score=table.frame["score"] * change(table.frame))
    write_table(kept_table("latency", book), StudyTable(frame, table.provenance))
    return open_chapter("latency", book, protocols)


def noisy(frame):
    """Times at batch size 1 that spread within a block."""
    spread = np.random.default_rng(0).normal(0, 0.09, len(frame))
    return np.where(frame["factor:batch"] == "1", np.exp(spread), 1.0)


def plain(parts) -> str:
    return "\n".join(parts).replace("\u00a0", " ")


def lines(parts) -> tuple[str, str]:
    """What is said about latency, and about throughput."""
    latency, throughput = (line for line in plain(parts).splitlines() if line.startswith("- **"))
    assert latency.startswith("- **Latency** (batches of 1): ")
    assert throughput.startswith("- **Throughput** (batches of 32): ")
    return latency, throughput


def test_batch_sizes_that_pass_the_gate_have_the_verdict_of_their_own_test(tmp_path, protocols):
    chapter = chapter_of(tmp_path, protocols)
    for build in (explain_batches, answer_batches):
        for line in lines(build(chapter)):
            assert WITHIN in line and OPEN not in line
        assert "exploratory and not corrected" in plain(build(chapter))
    assert "It is registered for the mean over batches of 1 and 32. Each of them passes" in plain(explain_gate(chapter))


def test_batch_size_at_which_the_gate_fails_is_open_and_the_other_is_not(tmp_path, protocols):
    chapter = chapter_of(tmp_path, protocols, noisy)
    assert chapter.primary is not None  # the gate passes over both
    latency, throughput = lines(answer_batches(chapter))
    assert OPEN in latency and "The gate does not pass at this batch size alone" in latency
    assert WITHIN in throughput and OPEN not in throughput and "gate" not in throughput
    latency, throughput = lines(explain_batches(chapter))
    assert "differ too much" in latency and "would need" in latency
    assert throughput.endswith("The gate passes at this batch size alone.")
    assert "The gate is passed. It is registered for the mean over batches of 1 and 32. Alone, batches of 1 do not" in (
        plain(explain_gate(chapter))
    )


def test_difference_at_one_batch_size_is_not_hidden_by_the_other(tmp_path, protocols):
    def slower(frame):
        return np.where((frame["arm"] == "logic") & (frame["factor:batch"] == "32"), 1.05, 1.0)

    latency, throughput = lines(answer_batches(chapter_of(tmp_path, protocols, slower)))
    assert WITHIN in latency and "raises processor time by more than 2 %" in throughput


def test_gate_that_fails_over_all_batch_sizes_shows_no_contrast_at_one(tmp_path, protocols):
    chapter = chapter_of(tmp_path, protocols, lambda frame: 1 + 0.2 * (frame["arm"] == "again"))
    assert "no contrast is shown" in plain(explain_batches(chapter)) and "|" not in plain(explain_batches(chapter))


def test_study_of_one_batch_size_says_what_it_leaves_out(tmp_path, protocols):
    path = protocols / "latency.toml"
    path.write_text(path.read_text().replace("batch_sizes = [1, 32]", "batch_sizes = [8]"))
    chapter = chapter_of(tmp_path, protocols)
    for build in (explain_batches, answer_batches):
        words = plain(build(chapter))
        assert "Only batches of 8 inputs were measured" in words and "says nothing about a single input" in words
    assert qualify_gate(chapter) == ""


def test_chapter_and_real_arm_say_of_how_many_checkpoints_their_blocks_are_repetitions(tmp_path, protocols):
    chapter = chapter_of(tmp_path, protocols)
    assert f"repeat the measurement of {ENCODERS} trained checkpoints of each arm" in plain(list_notes(chapter))
    path = write_real_arm(protocols, "latency")
    text = path.read_text().replace("batch_sizes = [1, 32]", "batch_sizes = [8]")
    lone = [line if not line.startswith("encoders = ") else 'encoders = ["lab-wide-0"]' for line in text.splitlines()]
    path.write_text("\n".join(lone))
    table = invent_table(read_protocol(path))
    write_table(kept_table("latency-real", tmp_path), table)
    page = plain([build_real_arm(chapter, open_chapter("latency-real", tmp_path, protocols), PARTS.real)])
    blocks = table.frame["seed"].nunique()
    assert f"- All contrasts: The {blocks} blocks repeat the measurement of one trained checkpoint of each arm" in page
    assert "Only batches of 8 inputs were measured" in page
