"""The file format of each publisher's folder: how a file is cut into rows, and how a row becomes an example."""

from collections.abc import Callable, Iterable
from functools import partial
from typing import NamedTuple

from stilts_core.sources import english, lowres, reasoning, retrieval, xtreme
from stilts_core.sources.rows import Row, comma_separated, json_lines, tsv
from stilts_core.sources.tagged_files import tagged_sentences, wikiann_sentences
from stilts_core.tasks.catalogue import Task
from stilts_core.tasks.examples import Example, TaggingExample


class Format(NamedTuple):
    """`rows(text, name)` cuts a file into rows; `example(row, task, language)` turns one row into an example.

    `separator` stands between word and tag in a tagged file. `labels` is the name of the file beside it that holds the
    labels, one a line, by the name of a file, where the publisher keeps them apart.
    """

    rows: Callable[[str, str], Iterable[Row]]
    example: Callable[[Row, Task, str], Example]
    labels: Callable[[str], str] | None = None
    separator: str = "\t"


def _cosmosqa_rows(text: str, name: str) -> Iterable[Row]:
    return comma_separated(text, name) if name.endswith(".csv") else json_lines(text, name)


def _with_spaces(example: Callable[[Row, Task, str], TaggingExample]) -> Format:
    return Format(partial(tagged_sentences, separator=" "), example, separator=" ")


_squad_rows = partial(xtreme.squad_rows, repeats_ids=False)

FORMATS: dict[str, Format] = {
    "english/anli": Format(json_lines, english.anli),
    "english/mnli": Format(tsv, english.mnli),
    "english/snli": Format(json_lines, english.mnli),
    "english/qqp": Format(tsv, english.qqp),
    "english/mrpc": Format(tsv, english.mrpc),
    "english/squad": Format(_squad_rows, xtreme.span),
    "english/squad_v2": Format(_squad_rows, xtreme.span),
    "english/hellaswag": Format(json_lines, english.hellaswag),
    "english/ccg": Format(tagged_sentences, english.tagged),
    "english/brown": Format(tagged_sentences, english.tagged),
    "english/cosmosqa": Format(_cosmosqa_rows, english.cosmosqa),
    "english/commonsense_qa": Format(json_lines, english.commonsenseqa),
    "english/logiqa2": Format(json_lines, english.logiqa),
    "english/ar_lsat": Format(reasoning.passage_questions, reasoning.ar_lsat),
    "english/logic_llm": Format(reasoning.json_array, reasoning.logic_llm),
    "english/folio": Format(json_lines, reasoning.folio),
    "english/e-care": Format(json_lines, reasoning.ecare),
    "english/balanced_copa": Format(reasoning.copa_items, reasoning.balanced_copa),
    "english/codah": Format(partial(tsv, columns=reasoning.CODAH_COLUMNS), reasoning.codah),
    "english/piqa": Format(json_lines, reasoning.piqa, lambda name: name.replace(".jsonl", "-labels.lst")),
    "english/med": Format(tsv, english.mnli),
    "xtreme/socialiqa": Format(json_lines, english.socialiqa),
    "xtreme/xcopa": Format(json_lines, english.copa),
    "xtreme/xnli": Format(partial(tsv, columns=xtreme.XNLI_COLUMNS), xtreme.xnli),
    "xtreme/pawsx": Format(partial(tsv, columns=xtreme.PAWSX_COLUMNS), xtreme.pawsx),
    "xtreme/udpos": Format(tagged_sentences, english.tagged),
    "xtreme/panx": Format(wikiann_sentences, english.panx),
    "xtreme/xquad": Format(_squad_rows, xtreme.span),
    "xtreme/lareqa": Format(_squad_rows, xtreme.span),
    "xtreme/mlqa": Format(_squad_rows, xtreme.span),
    "xtreme/tydiqa": Format(xtreme.squad_rows, xtreme.span),
    "xtreme/mewslix": Format(json_lines, retrieval.mewslix_pair),
    "lowres/americasnli": Format(tsv, lowres.americasnli),
    "lowres/xnli": Format(partial(tsv, columns=xtreme.XNLI_COLUMNS), xtreme.xnli),
    "lowres/udpos": Format(tagged_sentences, english.tagged),
    "lowres/masakhapos": _with_spaces(english.tagged),
    "lowres/masakhaner2": _with_spaces(lowres.masakhaner),
    "lowres/xcopa": Format(json_lines, english.copa),
}
