"""Pages of the laboratory: one for each language with its grammar and ten glossed sentences, and one for the design."""

from stilts_core.laboratory.language.design import ENGLISH, LANGUAGES, LabLanguage, design_matrix, factor_correlations
from stilts_core.laboratory.language.gloss import SENTENCES, Glossed, gloss, grammar_table
from stilts_core.laboratory.language.realiser import Realiser
from stilts_core.report.escape import html_text, language_tag
from stilts_core.report.tables.html import markdown_table

PARAMETER_MEANINGS = {
    "order": "subject, verb and object",
    "adjective": "beside its noun",
    "numeral": "beside its noun",
    "adposition": "beside its noun",
    "adjuncts": "time and place in the clause",
    "article": "how “the” and “a” are expressed",
    "case": "of objects and recipients",
    "number": "of nouns",
    "tense": "of verbs: the past",
    "agreement": "of the verb with a plural subject",
    "negation": "beside the verb, on it, or in the clause",
    "auxiliary": "in questions and negation",
    "question": "place of the question word",
    "pronoun": "as a subject",
    "affixes": "beside the stem",
    "exponence": "an affix for each meaning, or one for all",
}
# Styles that set the words of a gloss side by side, inline because notebooks do not have the book's style sheet.
ROW_STYLE = 'style="display: flex; flex-wrap: wrap; gap: 0.3rem 1rem"'
COLUMN_STYLE = 'style="display: flex; flex-direction: column"'
FACTORS = ("distance", "log(1 + texts)", "other script", "cognates")


def build_pages() -> dict[str, str]:
    """The pages by name, as MyST: one for each language by its code, and `design`."""
    return {"design": _build_design()} | {code: _build_language(language) for code, language in LANGUAGES.items()}


def build_overview() -> str:
    """A table of all languages, with links to their pages."""
    rows = [
        [
            f"[{language.name}](generated/languages/{code}.md)",
            f"`{code}`",
            f"{language.distance:.2f}",
            f"{language.texts:,}",
            language.script.name,
            f"{language.cognates} %",
            language.grammar.order,
        ]
        for code, language in LANGUAGES.items()
    ]
    return markdown_table(["language", "code", "distance", "pretraining texts", "script", "cognates", "order"], rows)


def format_gloss(glossed: Glossed, language: LabLanguage) -> str:
    """One glossed sentence as HTML, with a column for each word, in the direction of its script."""
    direction = "ltr" if language.script.vowels else "rtl"
    columns = zip(glossed.words, glossed.morphemes, glossed.glosses, strict=True)
    words = "".join(
        f'<span {COLUMN_STYLE}><b>{html_text(word)}</b><i dir="ltr">{html_text(morphemes)}</i>'
        f'<small dir="ltr" lang="en">{html_text(meaning)}</small></span>'
        for word, morphemes, meaning in columns
    )
    attributes = f'lang="{language_tag(language.code)}" dir="{direction}"'
    return (
        f'<div class="stilts-gloss mathjax_ignore" dir="{direction}"><p {attributes}>{html_text(glossed.text)}</p>'
        f'<div class="words" {attributes} {ROW_STYLE}>{words}</div>'
        f'<p><bdi dir="ltr">“{html_text(glossed.translation)}”</bdi></p></div>'
    )


def _build_language(language: LabLanguage) -> str:
    realiser = Realiser(language)
    parts = [
        f"# {language.name}",
        _describe(language),
        "## Grammar",
        _grammar(language),
        "## Ten sentences",
        "Each word as it is written, in morphemes, and glossed by the Leipzig rules.",
        *(format_gloss(gloss(realiser, sentence), language) for sentence in SENTENCES),
    ]
    return "\n\n".join(parts) + "\n"


def _describe(language: LabLanguage) -> str:
    """The facts of a language in one line."""
    grammar = grammar_table(language)
    changed = sum(bool(english_value) for _, _, english_value in grammar)
    differences = f"{changed} of {len(grammar)} parameters differ from English" if changed else "the source language"
    texts = f"{language.texts:,} texts of pretraining" if language.texts else "never seen in pretraining"
    cognates = "" if language is ENGLISH else f"; {language.cognates} % of its content words are shared with English"
    return (
        f"`{language.code}` · distance to English {language.distance:.2f} ({differences}) · {texts} · "
        f"{language.script.name} script{cognates}. [The design](design.md)"
    )


def _grammar(language: LabLanguage) -> str:
    """The table of a language's grammar beside that of English; parameters that differ are in bold."""
    rows = []
    for name, value, english_value in grammar_table(language):
        label = f"**{name}**" if english_value else name
        beside = [] if language is ENGLISH else [english_value or "same"]
        rows.append([label, PARAMETER_MEANINGS[name], value, *beside])
    return markdown_table(["parameter", "decides", *dict.fromkeys([language.name, "English"])], rows)


def _build_design() -> str:
    rows = [
        [
            f"[{LANGUAGES[row.code].name}]({row.code}.md)",
            f"{row.distance:.4f}".rstrip("0"),
            f"{row.texts:,}",
            "yes" if row.other_script else "no",
            f"{row.cognates} %",
            row.sounds,
        ]
        for row in design_matrix()
    ]
    correlation_rows = [
        [name, *(f"{abs(value) if abs(value) < 5e-4 else value:.3f}" for value in line)]  # abs: never -0.000
        for name, line in zip(FACTORS, factor_correlations(), strict=True)
    ]
    parts = [
        "# The design of the languages",
        "In the real world, languages far from English mostly have little pretraining text, so that a low score has "
        "two explanations. Here grammars and sizes are set by design, as K et al. {cite}`k2020crosslingual` and Dufter "
        "and Schütze {cite}`dufter2020identifying` set scripts and word order. Four distances are crossed with four "
        "sizes of pretraining text. Scripts, cognates and sounds are assigned so that every level of one factor meets "
        "every level of another equally often.",
        markdown_table(["language", "distance", "pretraining texts", "other script", "cognates", "sounds"], rows),
        "## Does anything correlate?",
        "Pearson's correlations of the factors, over the sixteen languages:",
        markdown_table(["", *FACTORS], correlation_rows),
    ]
    return "\n\n".join(parts) + "\n"
