"""Faults that publishers' files are known to have: such items are left out and counted."""

# Faulty items that a publisher's file is known to have; one more is an error. SQuAD-shifts: counted. GLUE's QQP breaks
# some questions over two lines and leaves some empty: an upper bound, as readers of GLUE skip them without a count. One
# premise of AmericasNLI's Nahuatl, which three items share, is empty.
KNOWN_DEFECTS = {
    "english/squad/squadshifts_nyt_v1.0.json": 9,
    "english/qqp/train.tsv": 50,
    "lowres/americasnli/test/nah.tsv": 3,
    "nala-cub/americas_nli/nah/test": 3,
}


# Sets that mark items on whose label the annotators did not agree; such items are left out and counted.
UNDECIDED = frozenset({"english/mnli", "english/snli"})
UNDECIDED_LABELS = ("-", -1, None)
