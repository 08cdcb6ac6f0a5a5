"""What the answer claims, of methods beyond the report's, and the criterion for each claim.

The claims were written before any of their runs on all the training images were made, while the
first searches, at 8,192, were under way; these have been made again since. Those on a batch that
grows came when all other runs of `answer` were known, and among them 8,192 with neither a falling
rate nor a growing batch; of the runs that grow their batch none was.
"""

from . import answer
from .claims import CLOSE, CLOSER, as_accurate, below, nearly_as_accurate
from .criteria import compared
from .statistics import final_accuracy

WITHIN = f"no more than {CLOSER} below that of the rate that falls"


def tuned_accuracy_kept(method):
    """(how it is tested, the criterion) of: tuned, every size ends as accurate as 64, tuned."""
    n = list(answer.METHODS).index(method)
    point_pairs = [(("answer", b, n), ("answer", 64, n)) for b in answer.SIZES[1:]]
    return (
        f"`answer`: test accuracy at the end, no more than {CLOSE} below that of 64 by the same "
        "method",
        compared(final_accuracy, point_pairs, as_accurate),
    )


def as_good_as_tuned(n, tuned):
    """(how it is tested, the criterion) of: scaled from 512, 8192 ends as accurate as tuned there.

    n, tuned    which of the settings of "answer-rules" are compared
    """
    points = ("answer-rules", answer.LARGE, n), ("answer-rules", answer.LARGE, tuned)
    return (
        f"`answer`: test accuracy at the end, no more than {CLOSE} below that of the "
        f"numbers tuned at {answer.LARGE}",
        compared(final_accuracy, [points], as_accurate),
    )


def grown_against(n, other, sizes, passes, words):
    """(how it is tested, the criterion) of: two of the settings of "answer-grown", n and other, at
    these sizes.
    """
    pairs = [(("answer-grown", b, n), ("answer-grown", b, other)) for b in sizes]
    return f"`answer`: test accuracy at the end, {words}", compared(final_accuracy, pairs, passes)


CLAIMS = (
    ("tuned like 64, every size up to the whole training set is as accurate: by clipped SGD in "
     "Nesterov's form", "beyond", *tuned_accuracy_kept("nesterov")),
    ("... by Adam", "beyond", *tuned_accuracy_kept("adam")),
    ("... by LARS", "beyond", *tuned_accuracy_kept("lars")),
    ("... by LAMB", "beyond", *tuned_accuracy_kept("lamb")),
    ("... by Muon", "beyond", *tuned_accuracy_kept("muon")),
    ("numbers of Adam that are tuned at 512 suit 8192 by its square-root rule (Malladi et al.)",
     "beyond", *as_good_as_tuned(0, 1)),
    ("a rate for every layer (LARS) lets the linear rule, with warmup, go from 512 to 8192 (You et "
     "al.)", "beyond", *as_good_as_tuned(3, 4)),
    ("... and without warmup", "beyond", *as_good_as_tuned(2, 4)),
    ("a batch that grows as the rate would fall ends as accurate with half of the updates (Smith "
     "et al.): by the cosine", "beyond",
     *grown_against(1, 0, (64, 2048, 8192), nearly_as_accurate, WITHIN)),
    ("... by 5, twice, with two fifths of them", "beyond",
     *grown_against(4, 3, (64,), nearly_as_accurate, WITHIN)),
    ("... and with neither it ends less accurate", "beyond",
     *grown_against(2, 0, (64, 2048, 8192), lambda x, y: below(x, y) > CLOSER,
                    f"more than {CLOSER} below that of the rate that falls by the cosine")),
    ("a batch that follows the noise scale of the report's run (McCandlish et al.) ends as "
     "accurate with a seventh of the updates: at a constant rate", "beyond",
     *grown_against(5, 0, (64,), nearly_as_accurate, WITHIN)),
    ("... at a rate that falls by the cosine", "beyond",
     *grown_against(6, 0, (64,), nearly_as_accurate, WITHIN)),
)  # fmt: skip
