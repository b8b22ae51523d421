"""`stilts study`: a dry run prints and writes nothing; a study registers, runs what is missing, and concludes."""

import random
import shutil
from functools import partial
from pathlib import Path

import pytest
from click.testing import CliRunner
from record_fixture import synthetic_record, with_values

from stilts_core import cli, studies
from stilts_core.config import RunConfig
from stilts_core.errors import ConfigError, StiltsError, StudyError
from stilts_core.runs.record import write_record
from stilts_core.studies import registration
from stilts_core.studies.conduct import conclude_study, conduct, describe, describe_findings, gather, open_study
from stilts_core.studies.design import expand
from stilts_core.studies.forecast import forecast
from stilts_core.studies.latency_blocks import measure_blocks
from stilts_core.studies.registration import Revision, read_registration
from stilts_core.studies.reproduction import compare_runs
from stilts_core.studies.results import StudyTable, kept_table, read_table, write_table

PROTOCOLS = Path(__file__).parents[2] / "protocols"
NAMES = ("ratio", "continued", "choice", "latency", "adversary")
TEXT = """
name = "invented"
question = "Does MNLI help?"
hypothesis = "It helps."
targets = ["xnli"]
encoders = ["lab", "lab-1", "lab-2", "lab-3"]
seeds = [0]
[base]
profile = "lab"
[arms.direct]
intermediate = "none"
[arms.mnli]
intermediate = "mnli"
[primary]
name = "MNLI against direct"
treatment = "mnli"
control = "direct"
target = "xnli"
test = "difference"
direction = "greater"
sesoi = 1.0
sd = 1.0
[costs]
run = 3600
"""


# Mistakes that `open_study` or the registration must find: the text of a correct protocol, the wrong one, the message.
MISTAKES = {
    "one encoder twice": ('"lab-1"', '"lab-0"', r"invented\.toml: encoders has 'lab' and 'lab-0'"),
    "missing encoder": ('"lab-1"', '"labx"', "encoder 'labx' is not a folder"),
    "no language of the group": ('profile = "lab"', 'languages = "en"', r"invented\.toml: primary\.group"),
}


@pytest.fixture
def protocols(tmp_path, monkeypatch) -> Path:
    """A folder with an invented protocol, in a clean source tree."""
    for module in (registration, studies.conduct):
        monkeypatch.setattr(module, "read_revision", lambda: Revision("c" * 40, True))
    folder = tmp_path / "protocols"
    folder.mkdir()
    (folder / "invented.toml").write_text(TEXT)
    return folder


def fake_runs(runs_dir: Path, started: str = "2999-01-01T00:00:00Z", gain: float = 20.0):
    """A function that writes an invented record for every run, as a sweep would; `calls` counts its runs."""
    calls = []

    def execute(configs):
        calls.append(len(configs))
        for number, config in enumerate(configs):
            base = synthetic_record(config["intermediate"], config["target"], ("en", "qal", "qbe"), profile="lab")
            resolved = RunConfig.from_dict(dict(config)).resolved()
            changes = {f"config.{name}": value for name, value in resolved.to_dict().items()}
            changes |= {"run_id": f"run-{number}", "started": started}
            for code in base.scores:
                score = 50.0 + number % 4 + gain * (config["intermediate"] == "mnli") + 0.1 * number
                changes |= {f"scores.{code}.{name}": score for name in ("score", "low", "high")}
            record = with_values(base, changes)
            write_record(runs_dir / "lab" / record.run_id, record)

    execute.calls = calls
    return execute


def conclude(study, execute, runs_dir, **options):
    """The findings of a study that is conducted with invented runs."""
    return conclude_study(study, conduct(study, execute, runs_dir, **options))


@pytest.mark.parametrize("name", NAMES)
def test_dry_run_prints_runs_cost_and_detectable_effects_and_writes_nothing(name, tmp_path, monkeypatch):
    shutil.copytree(PROTOCOLS, tmp_path / "protocols", ignore=shutil.ignore_patterns("registered"))
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(cli.main, ["study", name, "--dry-run"], catch_exceptions=False)
    assert result.exit_code == 0
    assert "core-hours" in result.output and "shared intermediate phases" in result.output
    assert "(primary)" in result.output and "not registered yet" in result.output
    assert sorted(path.name for path in tmp_path.iterdir()) == ["protocols"]
    assert not (tmp_path / "protocols/registered").exists()


def test_plan_of_a_study_is_that_of_its_protocol_however_often_it_is_opened(protocols):
    for seeds in (None, 2, None):
        study = open_study("invented", protocols, seeds=seeds)
        assert study.design == (design := expand(study.protocol))
        assert study.forecast == forecast(study.protocol, design)


@pytest.mark.parametrize("mistake", MISTAKES)
def test_mistake_is_found_before_the_study_is_registered(protocols, tmp_path, mistake):
    old, new, message = MISTAKES[mistake]
    (protocols / "invented.toml").write_text(TEXT.replace(old, new))
    execute = fake_runs(tmp_path / "runs")
    with pytest.raises(StiltsError, match=message):
        conduct(open_study("invented", protocols), execute, tmp_path / "runs")
    assert not execute.calls and not (protocols / "registered").exists()


def test_forecast_of_an_impossible_run_names_the_file(protocols):
    (protocols / "invented.toml").write_text(TEXT.replace('profile = "lab"', 'profile = "labb"'))
    with pytest.raises(ConfigError, match=r"invented\.toml: .*'labb'"):
        describe(open_study("invented", protocols))


def test_dry_run_says_which_encoders_are_not_on_this_machine(protocols):
    assert "Not on this machine" not in describe(open_study("invented", protocols))
    changed = open_study("invented", protocols, {"encoders": "lab,nope,./nowhere"})
    line = "Not on this machine, so looked up on the hub before the first run: nope, ./nowhere"
    assert line in describe(changed).splitlines()


def test_study_registers_runs_and_concludes_confirmatorily(protocols, tmp_path):
    study = open_study("invented", protocols)
    execute = fake_runs(tmp_path / "runs")
    (finding,) = conclude(study, execute, tmp_path / "runs")
    assert execute.calls == [8]
    assert finding.verdict == "supported" and finding.confirmatory and finding.n == 4
    assert finding.value == pytest.approx(20.4)
    made = read_registration(protocols / "registered" / "invented.json")
    assert (made.digest, made.runs, made.core_hours, made.clean) == (study.protocol.digest, 8, 8.0, True)
    blocks = read_table(study.results_path(tmp_path / "runs")).provenance["blocks"]
    assert [block["records"] for block in blocks.values()] == [2, 2, 2, 2]
    assert f"registered {made.time} at cccccccccccc" in describe(study)


def test_studies_that_share_runs_are_both_confirmatory_if_both_were_registered_first(protocols, tmp_path):
    """The second study reuses the runs of the first: they are younger than both registrations."""
    other = TEXT.replace('name = "invented"', 'name = "other"').replace("sesoi = 1.0", "sesoi = 2.0")
    (protocols / "other.toml").write_text(other)
    for name in ("invented", "other"):
        options = ["study", name, "--register", "--protocols-dir", str(protocols)]
        output = CliRunner().invoke(cli.main, options, catch_exceptions=False).output
        assert "Status: registered 20" in output and "exploratory" not in output
    conduct(open_study("invented", protocols), fake_runs(tmp_path / "runs"), tmp_path / "runs")
    (finding,) = conclude(open_study("other", protocols), lambda configs: None, tmp_path / "runs")
    assert finding.confirmatory


@pytest.mark.parametrize(
    "option, message",
    [
        (["--seeds", "2"], "only an unchanged one is registered"),
        (["--only", "arms=qqp"], "there is no 'qqp'; choose from direct"),
    ],
)
def test_nothing_is_registered_with_an_option_that_is_refused(protocols, option, message):
    options = ["study", "invented", "--register", *option, "--protocols-dir", str(protocols)]
    with pytest.raises(ConfigError, match=message):
        CliRunner().invoke(cli.main, options, catch_exceptions=False)
    assert open_study("invented", protocols).registration is None


def test_blocks_are_done_in_parts_and_the_kept_table_joins_them(protocols, tmp_path):
    study, kept = open_study("invented", protocols), kept_table("invented", tmp_path / "book")
    whole = conclude(study, fake_runs(tmp_path / "at-once"), tmp_path / "at-once")
    for place, blocks in enumerate((["lab", "lab-1"], ["lab-2"], ["lab-3"])):
        execute = fake_runs(tmp_path / f"part-{place}")
        table = conduct(study, execute, tmp_path / f"part-{place}", blocks=blocks, kept=kept)
        assert execute.calls == [2 * len(blocks)]
        write_table(kept, table)
        if place == 1:
            (finding,) = conclude_study(study, table)
            assert not finding.confirmatory and finding.reasons == ("1 of 4 encoders is missing",)
    (finding,) = conclude_study(study, read_table(kept))
    assert finding.confirmatory and finding.n == whole[0].n == 4
    with pytest.raises(ConfigError, match="there is no block 'lab-9'; choose from the encoders lab, lab-1"):
        conduct(study, execute, tmp_path / "runs", blocks=["lab-9"])


def test_first_blocks_have_no_findings_yet(protocols, tmp_path):
    study = open_study("invented", protocols)
    table = conduct(study, fake_runs(tmp_path / "runs"), tmp_path / "runs", blocks=["lab", "lab-1"])
    assert describe_findings(study, table).startswith("No findings yet: contrast 'MNLI against direct' on xnli has 2")
    study = open_study("invented", protocols, {"encoders": "lab,lab-1"})
    table = conduct(study, fake_runs(tmp_path / "runs"), tmp_path / "runs")
    with pytest.raises(StudyError, match="at least 3 are needed"):  # more blocks will not come
        describe_findings(study, table)


def test_table_of_another_protocol_is_not_joined(protocols, tmp_path):
    kept = kept_table("invented", tmp_path / "book")
    other = open_study("invented", protocols, {"target_lr": "0.002"})
    write_table(kept, conduct(other, fake_runs(tmp_path / "other"), tmp_path / "other"))
    study = open_study("invented", protocols)
    table = conduct(study, fake_runs(tmp_path / "runs"), tmp_path / "runs", blocks=["lab"], kept=kept)
    assert set(table.provenance["blocks"]) == {"lab"}


def test_runs_older_than_the_registration_make_it_exploratory(protocols, tmp_path):
    study = open_study("invented", protocols)
    (finding,) = conclude(study, fake_runs(tmp_path / "runs", started="2001-01-01T00:00:00Z"), tmp_path / "runs")
    assert finding.verdict == "supported" and not finding.confirmatory
    assert finding.reasons == ("runs of the primary contrast are older than the registration",)


def test_changed_study_is_not_registered_and_keeps_its_own_table(protocols, tmp_path):
    study = open_study("invented", protocols, {"target_lr": "0.002"}, seeds=2)
    assert "exploratory, because options change the protocol" in describe(study)
    (finding,) = conclude(study, fake_runs(tmp_path / "runs"), tmp_path / "runs")
    assert not finding.confirmatory and not (protocols / "registered").exists()
    assert {path.stem for path in (tmp_path / "runs" / "studies").iterdir()} == {"invented-changed"}


def test_protocol_that_changes_after_its_registration_says_so(protocols):
    study = open_study("invented", protocols)
    registration.register(study.protocol, protocols / "registered" / "invented.json")
    (protocols / "invented.toml").write_text(TEXT.replace("sesoi = 1.0", "sesoi = 0.1"))
    assert "exploratory, because the protocol was changed after its registration" in describe(
        open_study("invented", protocols)
    )


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('profile = "lab"', 'profile = "lab-narrow"', r"invented\.toml: unknown profile 'lab-narrow'"),
        ('intermediate = "mnli"', 'intermediate = "mnlii"', r"invented\.toml: no task 'mnlii'"),
    ],
)
def test_study_that_cannot_run_is_not_registered(protocols, tmp_path, old, new, message):
    (protocols / "invented.toml").write_text(TEXT.replace(old, new))
    execute = fake_runs(tmp_path / "runs")
    with pytest.raises(ConfigError, match=message):
        conduct(open_study("invented", protocols), execute, tmp_path / "runs")
    assert execute.calls == [] and not (protocols / "registered").exists()


def test_study_whose_runs_failed_is_refused(protocols, tmp_path):
    def execute(configs):
        fake_runs(tmp_path / "runs")([config for config in configs if config["intermediate"] == "none"])

    with pytest.raises(StudyError, match="no results of mnli on xnli"):
        conclude(open_study("invented", protocols), execute, tmp_path / "runs")


@pytest.mark.parametrize("pages", [(), ("--pages",)])
def test_command_passes_the_runs_to_a_sweep(protocols, tmp_path, monkeypatch, pages):
    seen = []

    def sweep(configs, *, cores, no_page):
        seen.extend([(config.intermediate, config.runs_dir, no_page, cores) for config in configs])
        fake_runs(tmp_path / "runs")(
            [{k: v for k, v in config.to_dict().items() if k != "runs_dir"} for config in configs]
        )

    monkeypatch.setattr("stilts_core.workflow.sweep.sweep", sweep)
    options = ["--protocols-dir", str(protocols), "--runs-dir", str(tmp_path / "runs"), "--cores", "1", *pages]
    result = CliRunner().invoke(cli.main, ["study", "invented", *options], catch_exceptions=False)
    assert result.exit_code == 0 and "supported (confirmatory" in result.output
    assert len(seen) == 8 and set(seen) == {(name, str(tmp_path / "runs"), not pages, 1) for name in ("none", "mnli")}


def test_part_of_a_study_is_done_and_compared_without_findings(protocols, tmp_path, monkeypatch):
    runs_dir, book = tmp_path / "runs", tmp_path / "book"
    study = open_study("invented", protocols)
    write_table(kept_table("invented", book), conduct(study, fake_runs(tmp_path / "earlier"), tmp_path / "earlier"))

    def sweep(configs, **_):
        fake_runs(runs_dir)([{k: v for k, v in config.to_dict().items() if k != "runs_dir"} for config in configs])

    monkeypatch.setattr("stilts_core.workflow.sweep.sweep", sweep)
    folders = ["--protocols-dir", str(protocols), "--runs-dir", str(runs_dir), "--book-dir", str(book)]
    part = ["--only", "arms=direct", "--only", "targets=xnli", "--blocks", "lab,lab-2"]
    output = CliRunner().invoke(cli.main, ["study", "invented", *folders, *part], catch_exceptions=False).output
    assert "Runs that were done here and are recorded: 2. The means of 2 lie" in output and "supported" not in output
    assert "\nNow: 2 runs with 0 shared intermediate phases; forecast: " in output
    for wrong, message in (("arms=qqp", "there is no 'qqp'; choose from direct"), ("task=x", "choose arms, targets")):
        with pytest.raises(ConfigError, match=message):
            CliRunner().invoke(cli.main, ["study", "invented", *folders, "--only", wrong], catch_exceptions=False)


def test_study_of_latency_measures_trained_encoders_once(protocols, tmp_path, monkeypatch):
    table = "[latency]\nblocks = 4\nbatch_sizes = [1]\nlengths = [8]\n"
    text = TEXT.replace('test = "difference"', 'test = "equivalence"\nmetric = "processor_seconds"')
    text = text.replace('["lab", "lab-1", "lab-2", "lab-3"]', '["lab"]')
    (protocols / "slow.toml").write_text(text + table)
    study, runs_dir = open_study("slow", protocols), tmp_path / "runs"
    with pytest.raises(StudyError, match="model not found: the run kept no encoder"):
        conduct(study, fake_runs(runs_dir), runs_dir)
    for number in range(2):
        (runs_dir / "lab" / f"run-{number}" / "model").mkdir()
    folders, draw = [], random.Random(0)

    def measure_once(request):
        folders.append(request.folder)
        return {"processor_seconds": (1 + 0.2 * request.extra_layer) * draw.uniform(0.999, 1.001)}

    monkeypatch.setattr("stilts_core.studies.conduct.measure_blocks", partial(measure_blocks, measure=measure_once))
    (finding,) = conclude(study, fake_runs(runs_dir), runs_dir)
    assert finding.verdict == "supported" and finding.confirmatory and finding.unit_of_value == "%"
    assert len(folders) == 4 * 4 and all(folder.is_dir() for folder in folders)
    (origins,) = {tuple(block["origins"]) for block in gather(study, runs_dir).provenance["blocks"].values()}
    assert origins == ("c" * 12,)  # of the measurement, not of the trained encoders
    write_table(tmp_path / "kept.parquet", gather(study, runs_dir))  # which an earlier call kept in the book
    again = conclude(study, fake_runs(runs_dir), runs_dir, kept=tmp_path / "kept.parquet")
    assert again == [finding] and len(folders) == 4 * 4


def test_wrong_options_are_errors(protocols):
    with pytest.raises(ConfigError, match="whole results of unchanged protocols only"):
        CliRunner().invoke(cli.main, ["study", "ratio", "--keep", "--seeds", "2"], catch_exceptions=False)
    with pytest.raises(ConfigError, match="write NAME=VALUES"):
        CliRunner().invoke(cli.main, ["study", "ratio", "--set", "udpos"], catch_exceptions=False)
    with pytest.raises(StiltsError, match="no protocol 'nothing'"):
        open_study("nothing", protocols)


def test_runs_done_again_are_compared_with_the_recorded_ones(protocols, tmp_path):
    study, runs_dir, kept = open_study("invented", protocols), tmp_path / "runs", tmp_path / "kept.parquet"
    with pytest.raises(StudyError, match="there is nothing to compare with"):
        compare_runs(study, runs_dir, kept)
    table = conduct(study, fake_runs(runs_dir), runs_dir)
    write_table(kept, table)
    same = compare_runs(study, runs_dir, kept)
    scored = table.frame[table.frame["metric"] == "score"]
    assert (same.runs, same.scores, same.inside) == (8, len(scored), len(scored))
    assert same.largest == 0 and not same.outside
    moved = table.frame.copy()
    chosen = (moved["run"] == scored["run"].iloc[0]) & (moved["metric"] == "score")
    moved.loc[chosen, ["score", "low", "high"]] += 20.0
    write_table(kept, StudyTable(moved, table.provenance))
    other = compare_runs(study, runs_dir, kept)
    assert len(other.outside) == 1 and other.outside[0].startswith(scored["run"].iloc[0])
    assert other.largest == 20 and other.inside == len(scored) - chosen.sum()
    assert "The means of 7 lie within" in other.sentence
    moved["run"] = "another"
    write_table(kept, StudyTable(moved, table.provenance))
    with pytest.raises(StudyError, match="is recorded in"):
        compare_runs(study, runs_dir, kept)
