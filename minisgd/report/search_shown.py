"""The trials of a search as a table, as panels and in a sentence."""

from statistics import median

from ..drawing import PALETTE, Curve, Plot
from .search import edges_told, value_of, winner

SHOWN = 0.06  # how far below the best a trial is still drawn


def table(search, trials):
    """(the lines of the table, the longest and best trials first; what to advise)."""
    names = [each.name for each in search.ranges]
    lines = ["epochs  " + "".join(f"{name:<14}" for name in names) + "validation"]
    for trial in sorted(trials, key=lambda trial: (-trial.settings.epochs, -trial.median)):
        cells = "".join(f"{value_of(name, trial.settings):<14.4g}" for name in names)
        values = trial.validation.values()
        spread = f" ({min(values):.4f} to {max(values):.4f})" if len(values) > 1 else ""
        lines.append(f"{trial.settings.epochs:>6}  {cells}{median(values):.4f}{spread}")
    best = winner(trials).settings
    chosen = ", ".join(f"{name} {value_of(name, best):.4g}" for name in names)
    lines += ["", f"chosen on held-out images: {chosen}"]
    told = edges_told(best, search.ranges)
    return lines, [f"{clause[0].upper()}{clause[1:]}: give a wider one." for clause in told]


def plots(search, trials):
    """A panel for each number: validation accuracy against it, a colour for each length of run."""
    best = winner(trials)
    lengths = sorted({trial.settings.epochs for trial in trials})
    shown = [trial for trial in trials if trial.median >= best.median - SHOWN]
    panels = []
    for each in search.ranges:
        curves = []
        for color, epochs in zip(PALETTE, lengths, strict=False):
            these = [trial for trial in shown if trial.settings.epochs == epochs]
            x = tuple(value_of(each.name, trial.settings) for trial in these)
            y = tuple(trial.median for trial in these)
            label = f"{epochs} epochs"
            curves.append(Curve(label, x, y, color=color, dash="", marker="o"))
        chosen = (value_of(each.name, best.settings),), (best.median,)
        curves.append(Curve("chosen", *chosen, color="#000000", dash="", marker="*"))
        panels.append(Plot(each.name, each.name, "validation accuracy", tuple(curves), logx=True))
    return panels


def text(trials):
    """What the panels leave out, in a sentence; "" if nothing."""
    best = winner(trials).median
    below = sum(trial.median < best - SHOWN for trial in trials)
    if not below:
        return ""
    return f"{below} of {len(trials)} trials ended more than {SHOWN} below the best."
