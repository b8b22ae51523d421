"""The page of a reader's own study."""

from study_fixture import Simulation, content

from stilts_core.report.pages.questions.own import build_own_page
from stilts_core.studies.conduct import conclude_study, open_study
from stilts_core.studies.results import StudyTable


def write_protocol(folder, name="invented"):
    """A protocol of one primary contrast, as a reader writes it."""
    made = content()
    arms = "".join(f'[arms.{arm}]\nintermediate = "{of["intermediate"]}"\n' for arm, of in made["arms"].items())
    primary = "".join(f"{key} = {value!r}\n" for key, value in made["primary"].items())
    path = folder / f"{name}.toml"
    path.write_text(
        f'name = "{name}"\nquestion = "Is <b>2 * 3</b> | 6?"\nhypothesis = "Yes."\ntargets = ["udpos"]\n'
        f'encoders = {made["encoders"]}\nseeds = [0]\n[base]\nprofile = "lab"\n{arms}[primary]\n{primary}'
        "[costs]\nrun = 1.0\n"
    )
    return open_study(name, folder)


def test_page_has_the_findings_numbers_and_escapes_a_readers_words(tmp_path):
    study = write_protocol(tmp_path)
    simulated = Simulation(study.protocol, lambda cell: 3.0 * (cell.arm == "mnli")).table()
    blocks = {name: {"origins": {"c" * 40: "2999-01-01T00:00:00Z"}} for name in study.protocol.blocks}
    table = StudyTable(simulated.frame, {"study": "invented", "digest": study.protocol.digest, "blocks": blocks})
    page = build_own_page(study, table, "Mine <i>", "Twelve | encoders.")
    (finding,) = conclude_study(study, table)
    assert page.count(f"+{finding.value:.2f}") == 2  # in the answer and in the table
    assert "exploratory, because the study was not registered" in page
    assert "<b>" not in page and "<i>" not in page
    sections = [line for line in page.splitlines() if line.startswith("#")]
    assert [line.lstrip("# ") for line in sections[1:]] == [
        "Protocol", "Answer", "All contrasts", "What would change our mind", "Limits",
    ]  # fmt: skip
