"""The chapters in every state of their studies: without a table, with few encoders, with some, with all."""

import csv
import json
import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from question_fixture import (
    CLAIMS,
    COMMIT,
    ENCODERS,
    NAMES,
    SOURCES,
    STATES,
    keep_table,
    write_protocols,
    write_real_arm,
)
from scipy import stats
from study_fixture import CODES, invented

from stilts_core.report.page_writer import PageWriter
from stilts_core.report.pages.questions import build as chapters
from stilts_core.report.pages.questions.build import QUESTIONS, write_chapters
from stilts_core.report.pages.questions.chapter import open_chapter
from stilts_core.report.pages.questions.controls import Control, _with_zero
from stilts_core.report.pages.questions.names import arm_words, explain_groups, measure_words, phase_words
from stilts_core.report.pages.questions.parts import AS_ASKED
from stilts_core.report.pages.questions.protocol import _replicates
from stilts_core.report.pages.questions.rerun import computing_seconds
from stilts_core.report.tables.numbers import NO_BREAK, signed
from stilts_core.studies.adversary import PROBE
from stilts_core.studies.protocol import read_protocol
from stilts_core.studies.results import StudyTable, kept_table, read_table, write_table

STUDIES = (*NAMES, *CLAIMS)
PARTS = ("question", "protocol", "answer", "contrasts", "controls", "mechanism", "real", "decision", "rerun")


@pytest.fixture
def only(monkeypatch):
    """Limits the book to the chapters of some studies."""

    def limit(*names: str) -> None:
        monkeypatch.setattr(chapters, "QUESTIONS", {name: QUESTIONS[name] for name in names})
        monkeypatch.setattr(chapters, "CLAIMS", {})

    return limit


def build(folder, protocols) -> dict[str, str]:
    """Write the chapters of a book, and return the generated texts by name."""
    writer = PageWriter(folder)
    write_chapters(writer, protocols)
    writer.finish()
    root = folder / "generated" / "questions"
    return {str(path.relative_to(root).with_suffix("")): path.read_text() for path in root.rglob("*.md")}


@pytest.fixture(scope="module")
def protocols(tmp_path_factory):
    return write_protocols(tmp_path_factory.mktemp("studies") / "protocols")


@pytest.fixture(scope="module")
def full(protocols, tmp_path_factory):
    """The folder of a book with the tables of all studies, and its texts."""
    folder = tmp_path_factory.mktemp("book")
    for name in STUDIES:
        keep_table(folder, protocols, name)
    return folder, build(folder, protocols)


def test_study_that_was_not_run_names_its_command_and_shows_its_protocol(tmp_path, protocols):
    pages = build(tmp_path, protocols)
    criteria = [f"{name}/criteria" for name in STUDIES if (QUESTIONS | chapters.CLAIMS)[name].criteria]
    assert set(pages) == {"answers", *(f"{name}/{part}" for name in STUDIES for part in PARTS), *criteria}
    for name in STUDIES:
        assert f"has not been run yet. `stilts study {name} --keep`" in pages[f"{name}/answer"]
        assert COMMIT[:12] in pages[f"{name}/protocol"] and re.search("`(direct|mlm)`", pages[f"{name}/protocol"])
        assert f"stilts study {name} --dry-run" in pages[f"{name}/rerun"]
    assert pages["answers"].count("| Not run yet. | Not asked yet. | – |") == len(NAMES)
    assert not list(tmp_path.rglob("*.svg"))


def test_unregistered_study_says_so_and_names_the_limits_of_its_arms(tmp_path, only):
    only("ratio")
    pages = build(tmp_path, write_protocols(tmp_path / "protocols", registered=False))
    assert "registers it before its first run." in pages["ratio/protocol"]
    assert "MNLI jointly with the target (only on POS; rate: 3e-4; steps: 128:64, " in pages["ratio/protocol"]
    assert "*steps* sets `intermediate_steps` and `target_steps`: 128:64, 128:256, " in pages["ratio/protocol"]
    assert "`target_examples` `1,000`" in pages["ratio/protocol"]


def test_complete_studies_are_confirmatory_and_show_all_sections(full):
    folder, pages = full
    for name in STUDIES:
        assert "This result is confirmatory" in pages[f"{name}/answer"]
        assert f"(../generated/questions/{name}.svg)" in pages[f"{name}/answer"]
        assert "Not shown yet" not in pages[f"{name}/mechanism"] and "###" in pages[f"{name}/mechanism"]
        assert (folder / "generated" / "questions" / f"{name}.svg").is_file()
        assert "There is no" not in pages[f"{name}/answer"]
    assert pages["answers"].count(" | Not asked yet. |") == len(NAMES) == pages["answers"].count(", confirmatory*")
    asked = [parts for parts in QUESTIONS.values() if parts.second[0] == AS_ASKED]
    assert pages["answers"].count(", confirmatory*<br>As asked: in the laboratory, ") == len(asked) == 2


def test_real_adversary_without_a_probe_shows_what_centring_still_brings(tmp_path, only):
    only("adversary")
    protocols = write_protocols(tmp_path / "protocols")
    write_real_arm(protocols, "adversary")
    keep_table(tmp_path, protocols, "adversary")
    table = keep_table(tmp_path, protocols, "adversary-real")
    assert "No probe of the language" not in build(tmp_path, protocols)["adversary/real"]
    frame = table.frame[table.frame["metric"] != PROBE]
    write_table(kept_table("adversary-real", tmp_path), StudyTable(frame, table.provenance))
    page = build(tmp_path, protocols)["adversary/real"]
    assert "No probe of the language was measured" in page
    retrieval = frame[(frame["target"] == "tatoeba") & (frame["arm"] == "reversal") & (frame["language"] != "en")]
    means = retrieval.groupby("metric")["score"].mean()
    assert f"| `reversal` | {signed(means['centred'] - means['score'])} [" in page.replace("&#43;", "+")


def test_answers_stand_beside_those_on_real_languages(tmp_path, only):
    only("continued", "adversary")
    protocols = write_protocols(tmp_path / "protocols")
    for name in ("continued", "adversary"):
        write_real_arm(protocols, name)
    for name in ("continued", "adversary", "continued-real"):
        keep_table(tmp_path, protocols, name)
    pages = build(tmp_path, protocols)
    continued, adversary = (row.split(" | ") for row in pages["answers"].splitlines() if row.startswith("| ["))
    assert "over 4 encoders" in continued[1] and "over 3 encoders" in continued[2] and continued[3] == "yes |"
    assert "over 4 encoders" in adversary[1] and adversary[2:] == ["Not run yet.", "– |"]
    assert "supported in the laboratory; on real languages, 1 supported and 1 without a result](" in pages["answers"]
    with (tmp_path / "generated" / "questions" / "answers.csv").open(newline="") as file:
        rows = {row["study"]: row for row in csv.DictReader(file)}
    assert [*rows] == ["continued", "continued-real", "adversary", "adversary-real"]
    finding = open_chapter("continued-real", tmp_path, protocols).primary
    assert float(rows["continued-real"]["estimate"]) == finding.value and rows["adversary-real"]["estimate"] == ""


def test_printed_numbers_are_those_of_the_findings(full, protocols):
    folder, pages = full
    for name in ("continued", "latency"):
        chapter = open_chapter(name, folder, protocols)
        with (folder / "generated" / "questions" / f"{name}.csv").open(newline="") as file:
            rows = list(csv.DictReader(file))
        assert [row["name"] for row in rows] == [contrast.name for contrast in chapter.protocol.contrasts]
        for row, finding in zip(rows, chapter.findings, strict=True):
            assert (float(row["value"]), float(row["low"])) == (finding.value, finding.low)
            printed = f"{finding.value:+.2f}".replace("-", "−") if abs(finding.value) >= 0.005 else "0.00"
            assert printed in pages[f"{name}/contrasts"]
        assert pages[f"{name}/contrasts"].count("<code>") == 2 * len(rows)


def test_answer_has_what_the_question_asks_besides_and_what_others_report(full):
    _, pages = full
    page = pages["continued/answer"]
    assert "changes the score" in page or "raises the score" in page
    assert "compared with intermediate training on MNLI" in page and "{cite}`ebrahimi2021adapt`" in page
    assert "With languages" in page and "drawn anew" in page
    assert "has the same sign" in page and "Beside published work" not in pages["latency/answer"]


def test_control_says_what_its_explanation_would_lead_to_and_a_contrast_can_be_left_out(full):
    _, pages = full
    assert '<th scope="col">if it were true</th>' in pages["continued/controls"]
    assert (
        "never sees" in pages["adversary/controls"]
        and "confusion</code> − <code>lambda-0</code> · POS" not in pages["adversary/controls"]
    )


def test_treatment_is_compared_with_the_control_itself_where_both_have_one_baseline(full):
    folder, pages = full
    frame = read_table(kept_table("adversary", folder)).frame
    rows = frame.query("target == 'tatoeba' and metric == 'score' and language != 'en' and excluded == ''")
    means = rows.groupby(["encoder", "arm"])["score"].mean().unstack()
    difference = means["reversal"] - means["random-labels"]
    numbers = [
        difference.mean(),
        *stats.t.interval(0.95, len(difference) - 1, difference.mean(), stats.sem(difference)),
    ]
    section = pages["adversary/controls"].split("### Is it more than its controls?")[1].split("###")[0]
    assert "<code>reversal</code> − <code>random-labels</code>" in section
    assert all(signed(number) in section for number in numbers)
    shown = {name for name in NAMES if "### Is it more than its controls?" in pages[f"{name}/controls"]}
    assert shown == {"adversary", "ratio"}


def test_shared_phases_count_once_in_the_time_that_the_studies_took(full, protocols):
    folder, _ = full
    table = read_table(kept_table("adversary", folder))
    phases = [("lab-wide-0", 0, 50.0), ("lab-wide-0", 0, 50.0), ("lab-wide-0", 0, 7.0), ("lab-wide-1", 0, 50.0)]
    rows = [
        {**table.frame.iloc[0], "encoder": encoder, "seed": seed, "metric": "seconds:intermediate", "score": score}
        for encoder, seed, score in phases
    ]
    frame = pd.concat([table.frame[~table.frame["metric"].str.startswith("seconds:")], pd.DataFrame(rows)])
    chapter = replace(open_chapter("adversary", folder, protocols), table=replace(table, frame=frame))
    assert computing_seconds(chapter) == (ENCODERS * 90.0, 107.0)
    assert computing_seconds(replace(chapter, table=None)) == (0.0, 0.0)


def test_two_encoders_are_described_as_a_test_over_seeds():
    described = _replicates(invented(encoders=["lab-0", "lab-1"], seeds=[0, 1, 2]))
    assert described.startswith("Seeds are the replicates") and "the mean over these encoders" in described
    assert "this one encoder" in _replicates(invented(encoders=["lab"], seeds=[0, 1, 2]))
    assert _replicates(invented()).startswith("Encoders are the replicates")


def test_explanation_that_leads_to_zero_is_not_excluded_by_an_interval_with_zero(full, protocols):
    finding = open_chapter("continued", full[0], protocols).primary
    control = Control("Any training would do.", "zero or less")
    assert "not excluded" in _with_zero(control, replace(finding, low=-1.0, high=2.0))
    assert _with_zero(control, replace(finding, low=0.5, high=2.0)) == ""
    assert _with_zero(Control("Labels.", "that of MNLI"), replace(finding, low=-1.0, high=2.0)) == ""


def test_titles_of_figures_state_the_finding(full):
    _, pages = full
    assert "![“text unseen” raises POS in unseen languages: +" in pages["continued/answer"]
    assert "![“logic” leaves processor time unchanged within ±2\u00a0%" in pages["latency/answer"]


def test_some_encoders_give_interim_numbers_without_a_verdict(tmp_path, protocols, only):
    only("continued")
    keep_table(tmp_path, protocols, "continued", ENCODERS - 1)
    pages = build(tmp_path, protocols)
    assert "3 of 4 encoders" in pages["continued/answer"] and "interim" in pages["continued/answer"]
    assert "1 of 4 encoders is missing" in pages["continued/protocol"]
    assert "supported" not in pages["continued/contrasts"] and "pending" in pages["continued/contrasts"]
    assert "<br>*pending, interim*<br>As asked: interim estimate (in the laboratory" in pages["answers"]


def test_amended_study_is_complete_and_shows_when_and_why_it_stopped(tmp_path, only):
    only("continued")
    folder, enough = write_protocols(tmp_path / "protocols"), ENCODERS - 1
    keep_table(tmp_path, folder, "continued", enough)
    digest = json.loads((folder / "registered" / "continued.json").read_text())["digest"]
    (folder / "registered" / "continued.amendment.toml").write_text(
        f'digest = "{digest}"\ntime = "2026-01-02T03:04:05+00:00"\nblocks = {enough}\nseen = 2\nreason = "Hours."\n'
    )
    pages = build(tmp_path, folder)
    assert "interim" not in pages["continued/answer"] and "pending" not in pages["continued/contrasts"]
    assert "The study stopped early, at 3 of 4 encoders" in pages["continued/answer"]
    assert "&#42;" not in "".join(pages.values())  # emphasis that was escaped with the data
    assert "Deviations: On 2026-01-02 03:04, when the results of 2 encoders were known" in pages["continued/protocol"]
    assert "stop after 3. Hours." in pages["continued/protocol"]
    assert "the size with 4 encoders; the command stops after 3." in pages["continued/rerun"]


def test_too_few_encoders_show_how_many_there_are_and_the_mean_scores(tmp_path, protocols, only):
    only("continued")
    keep_table(tmp_path, protocols, "continued", 1)
    pages = build(tmp_path, protocols)
    assert "There is no answer yet (1 of 4 encoders is done): " in pages["continued/answer"]
    assert (
        "Mean scores of the arms" in pages["continued/contrasts"]
        and "| `text-unseen` |" in pages["continued/contrasts"]
    )
    assert "No answer yet (1 of 4 encoders is done)." in pages["answers"]


def test_excluded_runs_are_counted_and_leave_the_other_contrasts_as_estimates(tmp_path, protocols, only):
    """Where a rule excludes every run of an arm there is no family to correct over, and so no verdict."""
    only("continued")
    table = keep_table(tmp_path, protocols, "continued")
    reason = read_protocol(protocols / "continued.toml").exclusions[0].reason
    excluded = [f"{reason} (x)" if arm == "labels" else "" for arm in table.frame["arm"]]
    write_table(kept_table("continued", tmp_path), type(table)(table.frame.assign(excluded=excluded), table.provenance))
    pages = build(tmp_path, protocols)
    assert "| 8 of 16; `labels`: 8 of 8 |" in pages["continued/protocol"]
    assert (
        "no verdict" in pages["continued/contrasts"]
        and "text of unseen languages helps POS" in pages["continued/contrasts"]
    )
    assert "supported" not in pages["continued/contrasts"]


def test_excluded_runs_are_shown_beside_the_results_that_lack_them(tmp_path, protocols, only):
    only("continued")
    table = keep_table(tmp_path, protocols, "continued")
    reason = read_protocol(protocols / "continued.toml").exclusions[0].reason
    first = (table.frame["arm"] == "labels") & (table.frame["encoder"] == "lab-wide-0")
    excluded = np.where(first, f"{reason} (x)", "")
    write_table(kept_table("continued", tmp_path), type(table)(table.frame.assign(excluded=excluded), table.provenance))
    pages = build(tmp_path, protocols)
    section = pages["continued/controls"].split("### Does the result depend on the exclusions?")[1]
    assert "n\u00a0=\u00a03" in section and "n\u00a0=\u00a04" in section
    assert section.count("<code>labels</code>") == section.count("<tr>") - 1  # no other arm lost a run
    assert re.search(r"(?m)^\| `labels` .*; n\u00a0=\u00a03 ", pages["continued/contrasts"])


def test_contrast_that_loses_pairs_but_no_encoder_is_shown_with_every_run(tmp_path, only):
    only("continued")
    protocols = write_protocols(tmp_path / "protocols")
    path = protocols / "continued.toml"
    path.write_text(path.read_text().replace("seeds = [0]", "seeds = [0, 1]"))
    table = keep_table(tmp_path, protocols, "continued")
    first = (table.frame["arm"] == "labels") & (table.frame["encoder"] == "lab-wide-0") & (table.frame["seed"] == 0)
    excluded = np.where(first, f"{read_protocol(path).exclusions[0].reason} (x)", "")
    write_table(kept_table("continued", tmp_path), type(table)(table.frame.assign(excluded=excluded), table.provenance))
    section = build(tmp_path, protocols)["continued/controls"].split("### Does the result depend on the exclusions?")[1]
    assert section.count("<code>labels</code>") == section.count("<tr>") - 1 > 0  # no other arm lost a run
    assert "n\u00a0=\u00a04" in section and "n\u00a0=\u00a03" not in section


def test_arm_with_too_few_pairs_is_left_out_of_figure_and_comparison(tmp_path, protocols, only):
    only("adversary")
    table = keep_table(tmp_path, protocols, "adversary")
    gone = table.frame["arm"].eq("random-labels") & table.frame["encoder"].isin(["lab-wide-0", "lab-wide-1"])
    frame = table.frame.assign(excluded=np.where(gone, "invented", ""))
    write_table(kept_table("adversary", tmp_path), type(table)(frame, table.provenance))
    pages = build(tmp_path, protocols)
    assert "Too few runs of `random-labels` are left" in pages["adversary/answer"]
    assert "<code>reversal</code> − <code>random-labels</code>" not in pages["adversary/controls"]
    assert re.search(r"(?m)^\| `random-labels` .*; n\u00a0=\u00a02 ", pages["adversary/contrasts"])


def test_rules_that_choose_alike_are_shown_as_not_testable(tmp_path, protocols, only):
    only("choice")
    table = keep_table(tmp_path, protocols, "choice")
    best = 30 * (table.frame["arm"].eq("ccg") & table.frame["target"].isin(["tatoeba", "udpos"]))
    frame = table.frame.assign(score=table.frame["score"] + best)
    write_table(kept_table("choice", tmp_path), type(table)(frame, table.provenance))
    pages = build(tmp_path, protocols)
    why = "not testable: both rules choose the same task in 100 % of cases"
    row = next(row for row in pages["choice/contrasts"].split("<tr>") if ">typology against placebo, retrieval<" in row)
    assert f"{why}<br>" in row and ">–<br>" in row and "detects" not in row and "supported" not in row
    assert f"The contrast is {why}." in pages["choice/answer"] and "is open" in pages["choice/answer"]
    assert why in pages["choice/controls"]
    with (tmp_path / "generated" / "questions" / "choice.csv").open(newline="") as file:
        rows = {row["name"]: row for row in csv.DictReader(file)}
    retrieval, panx = (rows[f"typology against placebo, {name}"] for name in ("retrieval", "PAN-X"))
    assert (retrieval["p"], retrieval["detectable"], retrieval["verdict"]) == ("", "", why)
    assert float(panx["p"]) >= 0 and panx["verdict"] in ("supported", "not supported", "cannot tell")


def test_measurement_that_cannot_be_trusted_shows_its_gate_and_no_contrast(tmp_path, protocols, only):
    only("latency")
    table = keep_table(tmp_path, protocols, "latency")
    slower = table.frame["score"] * (1 + 0.2 * (table.frame["arm"] == "again"))
    write_table(kept_table("latency", tmp_path), type(table)(table.frame.assign(score=slower), table.provenance))
    pages = build(tmp_path, protocols)
    assert "the measurement cannot be trusted" in pages["latency/answer"]
    assert "No contrast is shown" in pages["latency/contrasts"]
    assert "The gate is not passed" in pages["latency/mechanism"] and "interim" not in pages["answers"]
    assert "did not pass its own check" in pages["answers"] and "do not compare arms" in pages["latency/mechanism"]
    assert "resumes" not in pages["latency/answer"] and not re.search(r"\[-\d", pages["latency/answer"])


def test_table_of_another_protocol_or_a_damaged_one_is_not_shown(tmp_path, protocols, only):
    only("continued", "adversary")
    keep_table(tmp_path, SOURCES, "continued")
    kept_table("adversary", tmp_path).write_bytes(b"damaged")
    pages = build(tmp_path, protocols)
    assert "belongs to another version of the protocol" in pages["continued/answer"]
    assert "cannot be shown" in pages["adversary/answer"] and "not a readable table" in pages["adversary/answer"]
    assert "+3" not in pages["continued/contrasts"] and pages["answers"].count("cannot be shown") == 2


def test_replaced_registrations_are_deviations(tmp_path, only):
    only("latency")
    folder = write_protocols(tmp_path / "protocols")
    path = folder / "registered" / "latency.json"
    content = json.loads(path.read_text())
    earlier = {name: content[name] for name in content if name != "earlier"} | {"time": "2026-01-02T03:04:05+00:00"}
    path.write_text(json.dumps(content | {"earlier": [earlier | {"reason": "Too *few* blocks."}], "clean": False}))
    page = build(tmp_path / "book", folder)["latency/protocol"]
    assert re.search(r"replaced 1 earlier one, of 2026-01-02 03:04 \(digest [^)]*\)\. Too \S+few\S+ blocks\.", page)
    assert "the source tree was not clean" in page


def test_group_names_the_languages_of_each_target_where_they_differ():
    protocol = read_protocol(SOURCES / "choice-real.toml")
    codes = {"udpos": ["af", "de", "eu"], "panx": ["af", "gu"]}
    ((_, meaning),) = explain_groups(protocol, codes.__getitem__)
    assert meaning.endswith(" (on POS: Afrikaans and Basque; on PAN-X: Afrikaans and Gujarati)")
    ((_, meaning),) = explain_groups(protocol, lambda _: ["af", "de"])
    assert meaning.endswith(" (Afrikaans)")
    ((_, meaning),) = explain_groups(protocol, lambda _: ["de"])
    assert meaning.endswith("without any")


def test_every_replaced_registration_says_why():
    for path in (SOURCES / "registered").glob("*.json"):
        assert all(old.get("reason") for old in json.loads(path.read_text())["earlier"]), path


@pytest.mark.parametrize("name", STUDIES)
def test_every_arm_and_control_of_the_committed_protocols_is_explained(name):
    protocol, question = read_protocol(SOURCES / f"{name}.toml"), (QUESTIONS | chapters.CLAIMS)[name]
    known = {*protocol.arms, *protocol.selectors}
    assert set(question.purposes) <= known
    assert {
        arm for arm in known if arm not in question.purposes and not getattr(protocol.arms.get(arm), "note", "")
    } == set()
    compared = {(contrast.treatment, contrast.control) for contrast in protocol.contrasts}
    assert set(question.controls) <= compared | {contrast.name for contrast in protocol.contrasts} and question.controls
    assert {*question.beside, *question.published} <= {contrast.name for contrast in protocol.contrasts}
    for arm in known:
        assert arm_words(protocol, arm) and phase_words(protocol, arm)
    assert all(
        measure_words(contrast).startswith(("the ", "raw ", "language-centred ")) for contrast in protocol.contrasts
    )


def test_claim_has_curves_of_every_state_and_the_effect_of_labels_in_every_language(full):
    _, pages = full
    page = pages["retrieval/mechanism"]
    depth, languages = (page[page.index(f"### {title}") :] for title in ("At which depth?", "Which languages?"))
    assert re.findall(r"(?m)^\| (\d+) \|", depth) == [str(state) for state in range(STATES)]
    effects = [float(value) for value in re.findall(r"(?m)\| \+(\d\.\d\d) \[[^|]*\] \|$", languages)]
    assert len(effects) == len(CODES) - 1 and effects == sorted(effects, reverse=True)
    assert abs(np.mean(effects) - 3) < 0.6  # what the invented table has
    assert page.count("| 500 steps |") == 0 and "| 2,000 steps |" in pages["retrieval-dose/mechanism"]


def test_doses_are_compared_by_the_mean_differences_of_replicates(full):
    folder, pages = full
    page = pages["retrieval-dose/mechanism"].replace(NO_BREAK, " ")
    frame = read_table(kept_table("retrieval-dose", folder)).frame
    own = frame[(frame["metric"] == "score") & (frame["language"] != "en")]
    means = own.groupby(["arm", "factor:dose", "encoder"])["score"].mean().unstack("factor:dose")
    change = means["2000"] - means["500"]
    labels = change["mlm-then-mnli"] - change["mlm-then-sham"]
    for expected in (change["mlm"], labels):
        interval = stats.ttest_1samp(expected, 0).confidence_interval()
        numbers = (f"{value:+.2f}".replace("-", "−") for value in (expected.mean(), *interval))
        assert "{} [{}, {}]".format(*numbers) in page


def test_page_of_the_claim_includes_its_fragments():
    page = (SOURCES.parent / "book" / "questions" / "retrieval.md").read_text()
    included = re.findall(r"\{include\} \.\./generated/questions/retrieval/(\w+)\.md", page)
    assert included == [part for part in PARTS if part != "real"]
    assert set(re.findall(r"generated/questions/retrieval-dose/(\w+)\.md", page)) < set(PARTS)


def test_pages_of_the_book_include_every_fragment():
    for name in NAMES:
        page = (SOURCES.parent / "book" / "questions" / f"{name}.md").read_text()
        expected = list(PARTS)
        if QUESTIONS[name].criteria:
            expected.insert(expected.index("decision") + 1, "criteria")
        assert re.findall(r"\{include\} \.\./generated/questions/\w+/(\w+)\.md", page) == expected
        assert not re.search(r"\d\.\d", page)  # numbers come from tables, protocols and registrations
