"""What more ranks buy: the time to an accuracy, through a network that the reader chooses."""

from math import isfinite

import numpy as np

from ..disk.formats import DamagedError, read_json
from ..errors import program
from ..machine import buying
from ..machine.speedup import NUMBERS, CostModel, largest_share
from ..machine.speedup_results import PROJECTED_RANKS
from ..measures import steps_shown
from . import colours, specs
from .html import element, join, table

ENDS = {"latency": (0.1, 1000.0, "µs a message"), "bandwidth": (0.1, 1000.0, "Gbit/s")}
LEAST, MOST = 1e-12, 1e6  # seconds of an update, or of a part of it; an image takes some
HEADS = "method", "ranks worth having", "seconds on one", "at the soonest"
CAPTION = "{}: {} µs a message, {} Gbit/s"
NONE = (
    f"What more ranks buy is not shown: {program()} measure steps, then {program()} scaling, make "
    "its numbers."
)


def section(folder):
    """(Html, what the script draws or None) of a folder; one sentence if a table is not there."""
    table_of_steps = folder / "measure-steps.csv"
    model, steps, misfits = _measured(folder / "scaling.json")
    if not steps or not table_of_steps.exists():
        return element("p", NONE), None
    every = buying.to_the_target(steps_shown.lines(steps_shown.read(table_of_steps)))
    lines = [line for line in every if line.method in steps]
    if not lines:
        return element("p", NONE), None
    networks = {buying.HERE: buying.network_of(model)} | buying.CLUSTERS
    latency, bandwidth = map(_number, networks[buying.HERE])
    options = (
        element("option", f"{name}: {_number(a)} µs, {_number(b)} Gbit/s", value=place)
        for place, (name, (a, b)) in enumerate(networks.items())
    )
    own = element("option", "another, set below", value="")
    target, (low, high) = steps_shown.percent(lines[0].target), buying.INTERVAL
    draws = buying.all_drawn(lines, misfits)
    here = [
        buying.bought(line, buying.HERE, model, steps[line.method], of)
        for line, of in zip(lines, draws, strict=True)
    ]
    html = join([
        element("p", f"The time to {target} of the held-out images: the updates that every method "
                "takes, tuned at each batch size, times what an update takes on so many ranks, "
                "with the batch that is done first. On one machine an update was measured; the "
                "network is an assumption. Ranks are worth having while each is at least "
                f"{buying.EFFICIENT:g} as efficient as one; the mark on a line is at the most of "
                "them. All are medians of a few seeds. A band, and what stands in brackets, holds "
                f"{high - low} % of draws of the seeds and of the model's misfit."),
        element("form",
                element("label", "network ", element("select", *options, own, id="ranks-network")),
                *(_slider(name, *ends) for name, ends in ENDS.items()), id="ranks-choices"),
        element("div", id="ranks-chart", class_="chart"),
        element("div", table(HEADS, map(_row, here), CAPTION.format(
                buying.HERE, latency, bandwidth)), id="ranks-values"),
    ])  # fmt: skip
    drawn = {
        "spec": specs.ranks(PROJECTED_RANKS, f"seconds to {target}"),
        "ranks": PROJECTED_RANKS,
        "bytes": 8 * NUMBERS,
        "efficient": buying.EFFICIENT,
        "interval": buying.INTERVAL,
        "networks": [[x if isfinite(x) else None for x in of] for of in networks.values()],
        "heads": HEADS,
        "methods": [
            _method(line, model, steps[line.method], of)
            for line, of in zip(lines, draws, strict=True)
        ],
    }
    return html, drawn


def _measured(path):
    """(CostModel, {method: seconds of its step}, [ratios of buying.misfits]) of a scaling.json;
    (None, {}, []) if it has no steps.

    Raises:  DamagedError if they are no numbers that make sense
    """
    made = read_json(path, model=dict)
    if not made or "steps" not in made:
        return None, {}, []
    try:
        model = CostModel(**{name: made["model"][name] for name in ("c", "o", "alpha", "beta")})
        seconds, ratios = [*vars(model).values(), *made["steps"].values()], made["misfits"]
        if not all(0 <= value <= MOST for value in seconds) or model.c < LEAST:
            raise ValueError(f"its seconds are {seconds}")
        if not ratios or not all(LEAST <= ratio <= MOST for ratio in ratios):
            raise ValueError(f"its misfits are {ratios}")
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise DamagedError(
            f"{path} is damaged, or of an earlier version ({error}): run {program()} scaling again"
        ) from None
    return model, made["steps"], ratios


def _slider(name, low, high, unit):
    # The script makes the scale logarithmic: from 0 to 100, a factor of ten thousand.
    bar = element("input", type="range", id=f"ranks-{name}", min=0, max=100, step="any", value=50)
    shown = element("output", id=f"ranks-{name}-shown", for_=f"ranks-{name}")
    return element("label", f"{name}, {unit} ", shown, bar, data_low=low, data_high=high)


def _row(one):
    """The cells of a buying.Bought: what it is worth on this machine's network."""
    middle, low, high = one.worth
    ranks = min(one.times, key=lambda ranks: one.times[ranks][1])
    b = one.times[ranks][0]
    return [steps_shown.title_of(one.method), f"{middle:,} ({low:,} to {high:,})",
            _seconds(one.times[1]),
            f"{_seconds(one.times[ranks])} s on {ranks:,}, b = {b:,}"]  # fmt: skip


def _seconds(time):
    _, *seconds = time
    return "{} ({} to {})".format(*map(_number, seconds))


def _number(value):
    return f"{value:.3g}" if isfinite(value) else "without end"


def _method(line, model, step, draws):
    """What a method takes at each of its sizes: updates, and seconds without the network, by the
    number of ranks, null where a rank would have no image. With its draws.
    """
    seconds = [
        [model.c * largest_share(b, ranks) + model.o + step if b >= ranks else None
         for ranks in PROJECTED_RANKS]
        for b in line.medians
    ]  # fmt: skip
    look = colours.look(steps_shown.title_of(line.method), steps_shown.place_of(line.method))
    return {"look": look, "sizes": list(line.medians), "updates": list(line.medians.values()),
            "seconds": seconds, "drawn": [_coded(draws.updates[b]) for b in line.medians],
            "misfits": list(map(_coded, draws.misfits.values()))}  # fmt: skip


def _coded(values):
    """A short form of numbers of which few differ: those, null for infinity, and their places."""
    each, places = np.unique(values, return_inverse=True)
    return {"of": [x if isfinite(x) else None for x in each.tolist()], "at": places.tolist()}
