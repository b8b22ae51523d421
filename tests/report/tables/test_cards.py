import re

from record_fixture import NOTE, SENTENCES, synthetic_record, with_values

from stilts_core.report.tables import cards


def test_summary_warns_only_of_pairs_that_share_their_data():
    assert "Same data" in cards.summary(synthetic_record("mnli", "xnli")).data
    assert "Same data" not in cards.summary(synthetic_record("squad", "xnli")).data


def test_cards_show_two_escaped_examples_and_the_notes():
    html = cards.tasks(synthetic_record()).data
    assert html.count("Invented premise") == 2
    assert "&lt;b&gt;markup&lt;/b&gt;" in html and "<b>markup" not in html
    assert NOTE in html


def test_errors_show_the_text_in_its_own_language_and_direction():
    html = cards.errors(synthetic_record()).data
    assert '<div dir="auto" lang="ar"' in html
    assert html.count(SENTENCES["ar"]) == 4
    assert len(re.findall("<tr>", html)) == 11


def test_long_texts_end_with_an_ellipsis():
    html = cards.errors(synthetic_record()).data
    assert "x" * cards.LONGEST_TEXT + " …" in html
    assert "x" * (cards.LONGEST_TEXT + 1) not in html


def test_without_errors_there_is_a_sentence_and_no_table():
    assert "<table" not in cards.errors(with_values(synthetic_record(), {"errors": []})).data
