"""How the differences of a page are judged, in words for its readers."""

from stilts_core.report.analysis.multiplicity import LEVEL, CorrectedFamily

PAIRS = (
    "A difference is that of two runs with the same seed and the same encoder, so that what both runs share cancels. "
)
OVER_REPLICATES = (
    "Where a difference has several pairs of runs, the interval is Student's over these paired differences: over "
    "seeds, or over encoders if there are several. It says what other replicates would give on the same test items. "
)
ONE_SEED = (
    "One seed cannot tell an effect from chance. So nothing on this page is called clear, and the interval comes from "
    "the bootstrap over test items, which takes the two runs as independent: it says what other test items would give, "
    "and nothing about other seeds."
)
UNTESTED = (
    " {count} more cannot be tested, because they have a single pair of runs, or because all pairs agree exactly; they "
    "are never clear, and the interval of a single pair comes from the bootstrap over test items."
)


def explain_differences(family: CorrectedFamily, members: str, mark: str) -> str:
    """What the intervals of a page are, and which of its differences are clear.

    `members` names the differences that are corrected together, and `mark` says how a clear one looks.
    """
    if not family.size:
        return PAIRS + ONE_SEED
    count = f"{family.size} difference{'s' * (family.size > 1)}"
    text = (
        f"{PAIRS}{OVER_REPLICATES}{mark}: *clear*, that is, different from zero at the {100 * LEVEL:g} % level after "
        f"Holm's correction, which covers {count}: {members}. If no row changed anything, at most one such page in "
        "twenty would call any difference clear. Intervals are not corrected, so one may exclude zero where the "
        "difference is not clear."
    )
    return text + UNTESTED.format(count=family.untested) * bool(family.untested)
