"""Final accuracy against the learning rate, on held-out images and on the test set."""

import numpy as np

from .style import BAND, GREY, GRID, WHOLE_RANGE, ZOOM, blank_figure, plain

REPORTED = 0.01  # the report's rate
LOOKS = {"validation": ("#1f4f98", "-", "o"), "test": ("#c93a9c", "--", "s")}


@plain
def rate_figure(rows, chosen, title, note=None):
    """Final accuracy against the learning rate: the median over seeds, and a band from minimum to
    maximum.

    Vertical lines mark the chosen rates and the report's. The left part shows the whole range, the
    right part 0.9 to 1.

    rows:    dicts with lr, validation_accuracy and test_accuracy, one for each run
    chosen:  {"validation": the best rate on held-out images, "test": the best on the test set}
    """
    figure = blank_figure(4.6)
    rates = sorted({row["lr"] for row in rows})
    for place, ends in enumerate((WHOLE_RANGE, (ZOOM, 1.0))):
        axes = figure.add_axes((0.07 + 0.5 * place, 0.2, 0.42, 0.62), ylim=ends, xscale="log")
        axes.grid(**GRID)
        axes.tick_params(labelsize=9)
        axes.set_title(("whole range", f"{ZOOM} to 1")[place], size=11, pad=5)
        axes.set_xlabel("learning rate", size=10)
        for by, (color, dash, marker) in LOOKS.items():
            column = f"{by}_accuracy"
            values = [[row[column] for row in rows if row["lr"] == lr] for lr in rates]
            low, high = ([end(seeds) for seeds in values] for end in (min, max))
            axes.fill_between(rates, low, high, color=color, **BAND)
            median = [float(np.median(seeds)) for seeds in values]
            label = f"{by}: best at {chosen[by]:g}"
            axes.plot(rates, median, dash, color=color, marker=marker, markersize=4.5, label=label)
            axes.axvline(chosen[by], color=color, linestyle=dash, linewidth=0.9)
        label = f"the report's {REPORTED:g}"
        axes.axvline(REPORTED, color=GREY, linestyle=":", linewidth=1.2, label=label)
    handles, names = axes.get_legend_handles_labels()
    figure.legend(handles, names, loc="lower center", ncols=3, fontsize=9.5, frameon=False)
    figure.text(0.5, 0.97, title, size=12, ha="center", va="top")
    if note:
        figure.text(0.5, 0.91, note, size=11, weight="bold", ha="center", va="top")
    return figure
