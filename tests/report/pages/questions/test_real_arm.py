"""The real arm of a chapter: its contrasts beside those of the laboratory, and whether the two agree."""

import re
from dataclasses import replace

import pytest
from question_fixture import invent_table, keep_table, write_protocols, write_real_arm

from stilts_core.errors import StudyError
from stilts_core.report.escape import html_text
from stilts_core.report.page_writer import PageWriter
from stilts_core.report.pages.questions.build import QUESTIONS
from stilts_core.report.pages.questions.chapter import open_chapter
from stilts_core.report.pages.questions.continued import explain_forgetting
from stilts_core.report.pages.questions.real_arm import agreement, build_real_arm, open_real_arms
from stilts_core.studies.protocol import read_protocol
from stilts_core.studies.results import kept_table, write_table


@pytest.fixture
def protocols(tmp_path):
    """Protocols in which `continued` has a real arm, with three encoders and one contrast under another name."""
    folder = write_protocols(tmp_path / "protocols")
    path = write_real_arm(folder, "continued")
    path.write_text(path.read_text().replace("text of unseen languages helps POS there", "renamed", 1))
    return folder


def build(tmp_path, protocols) -> str:
    arms = open_real_arms(["continued"], PageWriter(tmp_path).folder, protocols)
    return build_real_arm(open_chapter("continued", tmp_path, protocols), arms.get("continued"))


def keep_both(tmp_path, protocols, real: float):
    """Tables of both arms, with an effect of 3 points in the laboratory and of `real` points in the other."""
    keep_table(tmp_path, protocols, "continued")
    table = invent_table(read_protocol(protocols / "continued-real.toml"), effect=real)
    write_table(kept_table("continued-real", tmp_path), table)


def cells(page: str, name: str) -> list[str]:
    """The cells of the row of a contrast, without markup."""
    row = next(row for row in page.split("<tr>") if f">{html_text(name)}<br>" in row)
    return [re.sub("<[^>]+>", " ", cell) for cell in row.split("</tr>")[0].split("<td")[1:]]


def test_question_without_a_real_arm_says_so(tmp_path, protocols):
    (protocols / "continued-real.toml").unlink()
    assert "has not been asked on real languages yet" in build(tmp_path, protocols)


def test_real_arm_that_was_not_run_shows_its_design_and_its_command(tmp_path, protocols):
    page = build(tmp_path, protocols)
    assert "3 encoders" in page and "is not registered yet" in page
    assert page.count("stilts study continued-real --keep") == 2


def test_contrasts_of_both_arms_stand_side_by_side(tmp_path, protocols):
    keep_both(tmp_path, protocols, 3.0)
    page, chapter = build(tmp_path, protocols), open_chapter("continued", tmp_path, protocols)
    arm = open_chapter("continued-real", tmp_path, protocols)
    assert "asked here only" in cells(page, "renamed")[3] and "–" in cells(page, "renamed")[1]
    shared = [contrast for contrast, _ in chapter.pairs if contrast.name != chapter.protocol.primary.name]
    for contrast in shared:
        _, ours, theirs, verdict = cells(page, contrast.name)
        for text, found in ((ours, chapter), (theirs, arm)):
            assert "n\u00a0=\u00a0" in text
            finding = next(finding for finding in found.findings if finding.name == contrast.name)
            assert f"{abs(finding.value):.2f}" in text and finding.verdict in text
        assert verdict.rsplit(">", 1)[-1].strip() in ("yes", "no", "cannot tell")


def test_real_arm_has_sections_of_the_mechanism_of_its_own_numbers(tmp_path, protocols):
    keep_both(tmp_path, protocols, 3.0)
    arms = open_real_arms(["continued"], tmp_path, protocols)
    chapter = open_chapter("continued", tmp_path, protocols)

    def refuse(_):
        raise StudyError("too few")

    page = build_real_arm(chapter, arms["continued"], [refuse, *QUESTIONS["continued"].real])
    heading, content = explain_forgetting(arms["continued"])[0], explain_forgetting(arms["continued"])[-1]
    assert f"**{heading.removeprefix('### ')}**" in page and content in page and "###" not in page
    assert explain_forgetting(chapter)[-1] not in page


def test_arms_with_the_same_verdict_agree_unless_an_effect_changes_its_sign(tmp_path, protocols):
    keep_both(tmp_path, protocols, 3.0)
    (finding,) = [f for f in open_chapter("continued", tmp_path, protocols).findings if f.test == "difference"][:1]
    up, down = replace(finding, verdict="supported", value=3.0), replace(finding, verdict="supported", value=-3.0)
    null = replace(finding, verdict="not supported", low=finding.low - 9, high=finding.low - 1)
    open_, near = replace(finding, verdict="cannot tell"), replace(null, high=finding.low)
    assert [agreement(up, other) for other in (up, down, null, open_)] == ["yes", "no", "no", "cannot tell"]
    assert agreement(null, replace(null, value=-null.value)) == "yes"
    assert agreement(up, near) == agreement(near, up) == "cannot tell"  # two verdicts, and intervals that overlap
    same = replace(up, test="equivalence")
    assert agreement(same, replace(same, value=-3.0)) == "yes"
    beyond = replace(same, verdict="not supported")
    assert agreement(beyond, replace(beyond, value=-3.0)) == "no"


def test_groups_of_real_languages_are_those_of_the_table(tmp_path, protocols):
    path = protocols / "continued-real.toml"
    text = path.read_text().replace('profile = "lab-wide"', 'profile = "small"')
    path.write_text(text.replace('group = "unseen"', 'group = "little-text"'))
    protocol = read_protocol(path)
    table = invent_table(protocol, effect=3.0)
    real = ["en", "de", "yo", "mr"]
    generated = table.frame["language"].unique()[: len(real)]
    names = dict(zip(generated, real, strict=True)) | {"": ""}  # without a language: what belongs to a whole run
    frame = table.frame[table.frame["language"].isin([*names])]
    frame = frame.assign(language=frame["language"].map(names))
    assert "" in {*frame["language"]}
    write_table(kept_table("continued-real", tmp_path), type(table)(frame, table.provenance))
    page = build(tmp_path, protocols)
    assert "at most 3.2 GiB of text in CC-100, or without any (Marathi and Yoruba)" in page
    assert "generated languages" not in page and "**Exclusions.**" in page


def test_verdict_waits_for_all_blocks_of_both_arms(tmp_path, protocols):
    keep_both(tmp_path, protocols, 3.0)
    keep_table(tmp_path, protocols, "continued", 3)
    assert "pending" in build(tmp_path, protocols) and ">yes<" not in build(tmp_path, protocols)
