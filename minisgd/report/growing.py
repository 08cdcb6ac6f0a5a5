"""Growing the batch for as long as accuracy holds (report Sec. IV).

The report's code grew the batch without a validation set. Here every step is decided on training
images that are held out (selection.hold_out).
"""

from dataclasses import dataclass, replace
from statistics import median

from ..errors import SettingError
from ..rules import scaled_lr, scaled_momentum
from ..settings import Settings


@dataclass(frozen=True)
class Step:
    """One batch size that was tried, and what was decided.

    scaled      what grew with the batch: "rate" or "momentum"; "start" for the first step
    validation  the final accuracy of each seed; 0 for a run that diverged
    fall        how far the median lies below the start's
    """

    settings: Settings
    scaled: str
    validation: tuple
    fall: float
    kept: bool

    def __str__(self):
        s, values = self.settings, self.validation
        spread = f" ({min(values):.4f} to {max(values):.4f})" if len(values) > 1 else ""
        if self.scaled == "start":
            by, change, decision = "", "", "the start"
        else:
            by = {"rate": "rate scaled", "momentum": "1/(1-m) scaled"}[self.scaled]
            change = f", {'falls' if self.fall >= 0 else 'rises'} by {abs(self.fall):.4f}"
            decision = "kept" if self.kept else "refused"
        return (
            f"b = {s.batch_size:<5} η = {s.lr:<8.4g} m = {s.momentum:<7.4g} {by:<15} "
            f"validation {median(values):.4f}{spread}{change}: {decision}"
        )


def check(start, factor, tolerance, largest):
    """Refuse, before anything is trained, what makes no sense.

    Raises:  SettingError if nothing can grow (a factor below 2, or a start that is already the
             largest), or for a tolerance outside 0 ... 1
    """
    if not 0 <= tolerance < 1:
        raise SettingError(f"the tolerance must be from 0 to 1, got {tolerance:g}")
    if factor < 2 or start.batch_size * factor > largest:
        raise SettingError(
            f"from batch size {start.batch_size} nothing grows by a factor of {factor} "
            f"up to {largest}"
        )


def grow(run, start, seeds, factor=2, rule="sqrt", tolerance=0.002, largest=8192, log=print):
    """Grow the batch, first with the rate and then with the momentum, while accuracy holds.

    From `start`, b is multiplied by `factor` and η is scaled by the rule, until the median
    validation accuracy over the seeds is more than `tolerance` below the start's. That step is
    taken back; from there b grows with 1/(1-m) scaled instead, until accuracy falls again or b
    would exceed `largest`.

    run:     a function that makes complete runs of a list of settings on the dataset of
             selection.hold_out and returns {settings: records}
    Returns: [Step], the start's first
    Raises:  SettingError, as check
    Source:  report Sec. IV; the form of Smith & Le has factor 3 and the linear rule
    """
    check(start, factor, tolerance, largest)

    def attempt(settings, scaled, reference=None):
        cells = [replace(settings, seed=seed) for seed in seeds]
        records = run(cells)
        finals = tuple(records[cell][-1]["test_accuracy"] or 0.0 for cell in cells)
        # Without the rounding of binary fractions: .98 - .978 is .002.
        fall = 0.0 if reference is None else round(reference - median(finals), 9)
        step = Step(settings, scaled, finals, fall, fall <= tolerance)
        log(str(step))
        return step

    steps = [attempt(start, "start")]
    reference, here = median(steps[0].validation), start
    for scaled in ("rate", "momentum"):
        while here.batch_size * factor <= largest:
            b, b0 = here.batch_size * factor, here.batch_size
            if scaled == "rate":
                there = replace(here, batch_size=b, lr=scaled_lr(rule, here.lr, b, b0))
            else:
                m = scaled_momentum(rule, here.momentum, b, b0)
                there = replace(here, batch_size=b, momentum=m)
            steps.append(attempt(there, scaled, reference))
            if not steps[-1].kept:
                break
            here = there
    return steps
