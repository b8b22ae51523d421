from record_fixture import synthetic_record

from stilts_core.report.tables.titles import BESIDE, row_title, run_title, short_title
from stilts_core.tasks.auxiliaries import AUXILIARIES
from stilts_core.tasks.catalogue import INTERMEDIATE_TASKS, get_task


def test_run_title_names_intermediate_and_target():
    mnli, squad, xnli, udpos = (get_task(name).title for name in ("mnli", "squad", "xnli", "udpos"))
    assert run_title(synthetic_record().config) == f"{mnli} → {xnli}"
    assert run_title(synthetic_record("mnli,squad", "udpos").config) == f"{mnli} + {squad} → {udpos}"
    assert run_title(synthetic_record("none", "xnli").config) == f"No intermediate task → {xnli}"


def test_row_titles_name_chains_mlm_and_shuffled_labels():
    assert row_title("mnli+mlm") == f"{get_task('mnli').title} with MLM"
    assert row_title("all+sham") == "All 9 intermediate tasks, labels shuffled"
    assert row_title("squad>mlm") == f"{get_task('squad').title}, then Multilingual MLM"
    assert short_title("mlm>mnli+qqp+mixed") == "MLM alone, then MNLI + QQP, jointly"
    assert short_title("mnli+mlm") == "MNLI + MLM" and short_title("all+sham") == "all nine, shuffled"
    assert row_title("mnli+reversal") == f"{get_task('mnli').title} with language adversary"
    assert BESIDE.keys() == set(AUXILIARIES)


def test_short_title_is_never_longer_than_the_title():
    assert all(len(short_title(name)) <= len(row_title(name)) for name in ("none", "all", "mlm", *INTERMEDIATE_TASKS))
