"""Pages of the laboratory: each language with its grammar and ten glossed sentences, and the design behind them all."""

from html import escape

from stilts_core.report.markup import pipe_table
from stilts_core.sources.lab.gloss import SENTENCES, Glossed, gloss, grammar_table
from stilts_core.sources.lab.languages import ENGLISH, LANGUAGES, Language, correlations, design
from stilts_core.sources.lab.realise import Realiser

# What each parameter decides.
DECIDES = {
    "order": "subject, verb and object",
    "adjective": "beside its noun",
    "numeral": "beside its noun",
    "adposition": "beside its noun",
    "adjuncts": "time and place in the clause",
    "article": "how “the” and “a” are said",
    "case": "of objects and recipients",
    "number": "of nouns",
    "tense": "of verbs: the past",
    "agreement": "of the verb with a plural subject",
    "negation": "beside the verb, on it, or in the clause",
    "auxiliary": "in questions and negation",
    "question": "where the question word stands",
    "pronoun": "as a subject",
    "affixes": "beside the stem",
    "exponence": "an affix for each meaning, or one for all",
}
# A gloss's words side by side, also in notebooks, which do not have the book's style sheet.
ROW = 'style="display: flex; flex-wrap: wrap; gap: 0.3rem 1rem"'
COLUMN = 'style="display: flex; flex-direction: column"'
FACTORS = ("distance", "log(1 + texts)", "other script", "cognates")


def pages() -> dict[str, str]:
    """The pages by name, as MyST: one for each language by its code, and `design`."""
    return {"design": _design()} | {code: _language(language) for code, language in LANGUAGES.items()}


def overview() -> str:
    """All languages in a table that leads to their pages."""
    rows = [
        [
            f"[{made.name}](generated/languages/{code}.md)",
            f"`{code}`",
            f"{made.distance:.2f}",
            f"{made.texts:,}",
            made.script.name,
            f"{made.cognates} %",
            made.grammar.order,
        ]
        for code, made in LANGUAGES.items()
    ]
    return pipe_table(["language", "code", "distance", "pretraining texts", "script", "cognates", "order"], rows)


def _language(language: Language) -> str:
    seen = f"{language.texts:,} texts of pretraining" if language.texts else "no text of pretraining: it is never seen"
    kinds = "" if language is ENGLISH else f"; {language.cognates} % of its content words are shared with English"
    changed = [row for row in grammar_table(language) if row[2]]
    rows = [
        [
            f"**{name}**" if english else name,
            DECIDES[name],
            value,
            *([] if language is ENGLISH else [english or "same"]),
        ]
        for name, value, english in grammar_table(language)
    ]
    said = Realiser(language)
    differ = f"{len(changed)} of {len(rows)} parameters differ from English" if changed else "the source language"
    parts = [
        f"# {language.name}",
        f"`{language.code}` · distance to English {language.distance:.2f} ({differ}) · {seen} · {language.script.name} "
        f"script{kinds}. [The design](design.md)",
        "## Grammar",
        pipe_table(["parameter", "decides", *dict.fromkeys([language.name, "English"])], rows),
        "## Ten sentences",
        "Word by word: as it is written, in morphemes, and glossed by the Leipzig rules.",
        *(interlinear(gloss(said, sentence), language) for sentence in SENTENCES),
    ]
    return "\n\n".join(parts) + "\n"


def interlinear(glossed: Glossed, language: Language) -> str:
    """One sentence with its words as columns, in the direction of its script."""
    direction = "ltr" if language.script.vowels else "rtl"
    columns = zip(glossed.words, glossed.morphemes, glossed.glosses, strict=True)
    words = "".join(
        f'<span {COLUMN}><b>{escape(word)}</b><i dir="ltr">{escape(parts)}</i>'
        f'<small dir="ltr">{escape(meant)}</small></span>'
        for word, parts, meant in columns
    )
    spoken = f'lang="{language.code}" dir="{direction}"'
    return (
        f'<div class="stilts-gloss mathjax_ignore" dir="{direction}"><p {spoken}>{escape(glossed.text)}</p>'
        f'<div class="words" {spoken} {ROW}>{words}</div>'
        f'<p><bdi dir="ltr">“{escape(glossed.translation)}”</bdi></p></div>'
    )


def _design() -> str:
    rows = [
        [
            f"[{LANGUAGES[cell.code].name}]({cell.code}.md)",
            f"{cell.distance:.4f}".rstrip("0"),
            f"{cell.texts:,}",
            "yes" if cell.other_script else "no",
            f"{cell.cognates} %",
            cell.sounds,
        ]
        for cell in design()
    ]
    together = [
        [name, *(f"{abs(value) if abs(value) < 5e-4 else value:.3f}" for value in line)]  # no minus before 0.000
        for name, line in zip(FACTORS, correlations(), strict=True)
    ]
    parts = [
        "# The design of the languages",
        "Among the languages of the world, those far from English are mostly those of which little was read in "
        "pretraining, so that a low score has two explanations. Here grammars and sizes are set, as K et al. "
        "{cite}`k2020crosslingual` and Dufter and Schütze {cite}`dufter2020identifying` set scripts and word order. "
        "Four distances meet four sizes of pretraining text; script, cognates and sounds are laid over them so that "
        "every level of one meets every level of another equally often.",
        pipe_table(["language", "distance", "pretraining texts", "other script", "cognates", "sounds"], rows),
        "## Does anything correlate?",
        "Pearson's correlations of what was set, over the sixteen languages:",
        pipe_table(["", *FACTORS], together),
    ]
    return "\n\n".join(parts) + "\n"
