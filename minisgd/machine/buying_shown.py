"""What more ranks buy, shown: rows, a table, panels and words of a list of buying.Bought."""

from math import isfinite

from ..drawing import GREY, Curve, Plot
from ..errors import program
from ..measures.steps_shown import look_of, percent, title_of
from .buying import CLUSTERS, EFFICIENT, HERE, INTERVAL, network_of
from .speedup_results import PROJECTED_RANKS

WORTH = "most ranks worth having"


def rows_of(every):
    """Rows for scaling.csv."""
    return [
        {
            "kind": f"{one.target:g} with {one.method}, {one.network}",
            "ranks": ranks,
            "batch_size": b,
            "seconds": seconds,
            "projected": 1,
            "low": low,
            "high": high if isfinite(high) else None,
        }
        for one in every
        for ranks, (b, seconds, low, high) in one.times.items()
    ]


def table(every):
    if not every:
        return []
    lines = [
        f"{'network':<24}{'method':<12}{'ranks worth having':<24}{'faster':<20}"
        f"seconds to {percent(every[0].target)} on 1 rank, on those, and at the soonest"
    ]
    for one in every:
        middle, low, high = one.worth
        first = min(one.times, key=lambda ranks: one.times[ranks][1])
        cells = "; ".join(_time(one, ranks) for ranks in dict.fromkeys((1, middle, first)))
        worth = f"{middle:,} ({low:,} to {high:,})"
        middle, low, high = one.gain
        gain = f"{middle:.3g} ({low:.3g} to {high:.3g})"
        lines.append(f"{one.network:<24}{one.method:<12}{worth:<24}{gain:<20}{cells}")
    return lines


def _time(one, ranks):
    b, seconds, low, high = one.times[ranks]
    return f"{ranks:,}: {seconds:.3g} ({low:.3g} to {high:.3g}), b = {b:,}"


def plots(every, model):
    """A panel for each network: seconds against ranks, a line with a band for each method, and a
    dot at the most ranks that are worth having. Then the batch that is soonest there, of the first.

    model    the CostModel of this machine, whose network is the first
    """
    panels, times = [], [time for one in every for time in one.times.values()]
    seen = [value for _, *values in times for value in values if isfinite(value)]
    ends = (0.8 * min(seen), 1.25 * max(seen)) if seen else None
    networks = list(dict.fromkeys(one.network for one in every))
    known = {HERE: network_of(model)} | CLUSTERS
    for network in networks:
        curves = []
        for one in every:
            if one.network != network:
                continue
            _, seconds, low, high = zip(*one.times.values(), strict=True)
            pairs = zip(seconds, low, high, strict=True)
            # Where most draws never get there, the band goes beyond the top of the panel.
            errors = tuple((max(0, s - a), max(0, min(z, 2 * ends[1]) - s)) for s, a, z in pairs)
            color = look_of(one.method)["color"]
            label = title_of(one.method)
            curves.append(Curve(label, tuple(one.times), seconds, errors, color, band=True))
            last = one.worth[0]
            curves.append(
                Curve("", (last,), (one.times[last][1],), color=color, dash="", marker="o")
            )
        curves.append(Curve(WORTH, (), (), color=GREY, dash="", marker="o"))
        title = f"to {percent(every[0].target)}, {network}"
        if network in known:
            title += ": {:.3g} µs, {:.3g} Gbit/s".format(*known[network])
        panels.append(
            Plot(title, "ranks", "seconds", tuple(curves), True, True, ends, PROJECTED_RANKS[::2])
        )
    sizes = tuple(
        # A little apart, so that methods do not hide each other.
        Curve(title_of(one.method), tuple(one.times),
              tuple(1.04**k * b for b, *_ in one.times.values()), **look_of(one.method))
        for k, one in enumerate(one for one in every if one.network == networks[0])
    )  # fmt: skip
    title = f"the batch that is soonest, {networks[0]}"
    batches = tuple(sorted({b for one in every for b, *_ in one.times.values()}))
    panels.append(Plot(title, "ranks", "images (drawn a little apart)", sizes, True, True, None,
                       PROJECTED_RANKS[::2], batches))  # fmt: skip
    return tuple(panels)


def text(every):
    """What the table holds."""
    if not every:
        return f"How soon each method is done is left out: `{program()} measure steps` counts."
    return (
        f"The time is that to {percent(every[0].target)} of the held-out images, with the best "
        f"batch for so many ranks; ranks are worth having while each is at least {EFFICIENT:g} as "
        'efficient as one, and "faster" says how many times as fast the soonest is as one rank. In '
        f"brackets, {INTERVAL[1] - INTERVAL[0]} % of draws of the seeds, which are few, and "
        "of the model's misfit."
    )


def kept(every):
    """What scaling.json holds of it: {network: {method: [middle, low, high]}} of two numbers."""
    worth, gain = {}, {}
    for one in every:
        worth.setdefault(one.network, {})[one.method] = list(one.worth)
        gain.setdefault(one.network, {})[one.method] = [
            float(f"{x:.6g}") if isfinite(x) else None for x in one.gain
        ]
    return {"worth having": worth, "faster": gain}
