"""Files with one word and its tag a line, and an empty line between sentences."""

from collections import Counter
from collections.abc import Iterator

from stilts_core.errors import DataError, shown
from stilts_core.sources.rows import Row, lines
from stilts_core.tasks.languages import languages

LONGEST_SENTENCE = 50  # words of a file that may all be one sentence
MOST_SINGLE_WORDS = 20  # sentences of a file that may all have one word


def tagged_sentences(text: str, name: str, separator: str = "\t") -> Iterator[Row]:
    """The sentences of a file, one row each. `separator`, a tab or a space, stands between word and tag.

    In a file without any tags (a blind test part) the tags are None. Raises DataError where the tags seem to be there,
    but after another separator, and where the empty lines seem to be lost or doubled: the whole file is one sentence,
    or every word is one.
    """
    between = "tab" if separator == "\t" else "space"
    written = [(number, line) for number, line in enumerate(lines(text), start=1) if line.strip()]
    blind = not any(line.partition(separator)[2].strip() for _, line in written)
    apart = [(number, line) for number, line in written if len(line.split()) > 1] if blind else []
    if 2 * len(apart) > len(written):  # a few words have a space inside, such as '10 000'
        number, line = apart[0]
        raise DataError(f"{name}, line {number}: {shown(line)} has no {between} before the tag; restore the {between}s")
    start, sentences = 1, 0
    words: list[str] = []
    tags: list[str] = []
    for number, line in enumerate([*lines(text), ""], start=1):
        if line.strip():
            word, *tag = line.split(separator)
            if blind:
                tag = [cell for cell in tag if cell.strip()]
            if not word.strip() or "\t" in word or len(tag) != (not blind) or not all(cell.strip() for cell in tag):
                raise DataError(f"{name}, line {number}: {shown(line)} is not a word, a {between} and a tag")
            start = start if words else number
            words.append(word)
            tags += tag
        elif words:
            yield Row({"words": words, "tags": None if blind else tags}, name, start)
            words, tags, sentences = [], [], sentences + 1
    if sentences == 1 and len(written) > LONGEST_SENTENCE:
        raise DataError(
            f"{name}: all its {len(written)} words are one sentence; put an empty line after each sentence, or "
            "download the file again"
        )
    if sentences == len(written) >= MOST_SINGLE_WORDS:
        raise DataError(
            f"{name}: each of its {sentences} sentences has one word; remove the empty lines inside sentences, or "
            "download the file again"
        )


def wikiann_sentences(text: str, name: str) -> list[Row]:
    """The sentences of PAN-X; in WikiANN's original files every word begins with its language, as in 'en:word'.

    The prefixes are removed, and the row's `language` says what they were. Raises DataError where some words lack them.
    """
    rows = list(tagged_sentences(text, name))
    words = [word for row in rows for word in row["words"]]
    codes = Counter(code for word in words for code, _, rest in [word.partition(":")] if rest and code in languages())
    code, count = max(codes.items(), key=lambda item: item[1], default=("", 0))
    if 2 * count <= len(words):
        return rows
    for row in rows:
        if wrong := [word for word in row["words"] if not word.startswith(f"{code}:")]:
            raise DataError(
                f"{row.where}: {shown(wrong[0])} does not begin with '{code}:', as most words of the file do; download "
                "the file again"
            )
        row["words"] = [word.removeprefix(f"{code}:") for word in row["words"]]
        row["language"] = code
    return rows
