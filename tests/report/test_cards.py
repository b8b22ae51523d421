import re

from record_fixture import NOTE, SENTENCES, synthetic_record

from stilts_core.catalogue import task
from stilts_core.report import cards


def test_title_names_intermediate_and_target():
    assert cards.title(synthetic_record()) == f"{task('mnli').title} → {task('xnli').title}"
    several = cards.title(synthetic_record("mnli,squad", "udpos"))
    assert several == f"{task('mnli').title} + {task('squad').title} → {task('udpos').title}"
    assert cards.title(synthetic_record("none", "xnli")).startswith("No intermediate task → ")


def test_summary_warns_of_a_pair_that_shares_its_data_and_of_no_other():
    assert "Same data" in cards.summary(synthetic_record("mnli", "xnli")).data
    assert "Same data" not in cards.summary(synthetic_record("squad", "xnli")).data


def test_cards_show_two_escaped_examples_and_the_stand_in():
    shown = cards.tasks(synthetic_record()).data
    assert shown.count("Invented premise") == 2
    assert "&lt;b&gt;markup&lt;/b&gt;" in shown and "<b>markup" not in shown
    assert NOTE in shown


def test_errors_carry_source_text_in_its_own_language_and_direction():
    shown = cards.errors(synthetic_record()).data
    assert '<div dir="auto" lang="ar"' in shown
    assert shown.count(SENTENCES["ar"]) == 4
    assert len(re.findall("<tr>", shown)) == 11


def test_long_texts_are_shortened_and_say_so():
    shown = cards.errors(synthetic_record()).data
    assert "x" * cards.LONGEST_TEXT + " …" in shown
    assert "x" * (cards.LONGEST_TEXT + 1) not in shown


def test_no_errors_is_a_sentence_not_an_empty_table():
    assert "<table" not in cards.errors(synthetic_record() | {"errors": []}).data
