"""What more ranks buy: the time to an accuracy on 1 to 1,024 ranks, each method tuned at every b.

    T(R) = min over b of S(b) (t(b, R) + p)

S are the updates that `measure steps` counted, t is the model of speedup.py, and p is what a step
of the method takes beyond one of plain SGD, on every rank alike. A network is an assumption: its
latency is α, its bandwidth 1/β. Ranks are worth having while they are at least half as efficient as
one, T(1)/T(R) >= R/2.

The intervals hold two things: how the seeds of a method differ, by drawing them anew and choosing
b anew for every draw, and the misfit of the model, by multiplying each time by the ratio of a
measured epoch to the model's; the draws are the same for every network. Those epochs are of as few
ranks as there are cores. The intervals know nothing of networks that are not described by α and β,
or of other processors.

Between programs on two machines a message takes about 1 to 3 µs through InfiniBand and its like,
which carry 100 to 400 Gbit/s, and 10 to 50 µs through TCP and the Ethernet of data centres, at 10
to 100 Gbit/s. So say data sheets and the usual ping-pong benchmarks of MPI; CLUSTERS holds one of
each kind.
"""

from dataclasses import dataclass, replace
from math import inf, isfinite
from statistics import median

import numpy as np

from ..measures.common import generator
from ..measures.steps import METHODS
from . import updates
from .speedup_results import PROJECTED_RANKS

EFFICIENT = 0.5
BATCH = 64  # of the gradients between the steps of the methods that are timed
HERE = "as within this machine"
CLUSTERS = {"InfiniBand": (2.0, 200.0), "Ethernet": (30.0, 25.0)}  # µs a message, Gbit/s
DRAWS = 1000
INTERVAL = 5, 95  # percentiles


@dataclass(frozen=True)
class Bought:
    """A method through a network.

    target  the accuracy that it reaches
    times   {ranks: (batch size, seconds, low, high)}, with the batch that is soonest there
    worth   (ranks that are worth having, low, high)
    gain    (how many times as fast as one rank the soonest is, low, high)
    """

    method: str
    target: float
    network: str
    times: dict
    worth: tuple
    gain: tuple


def with_network(model, latency, bandwidth):
    """The CostModel with another network.

    Units:  latency in µs per message, bandwidth in Gbit/s
    """
    return replace(model, alpha=1e-6 * latency, beta=8e-9 / bandwidth)


def network_of(model):
    """(latency, bandwidth) of a CostModel, in units of with_network."""
    return 1e6 * model.alpha, 8e-9 / model.beta if model.beta else inf


def misfits(jobs, model, N, cores):
    """The ratios of the measured epochs to the model's, of the jobs with a core for each rank."""
    return [
        took / model.epoch(N, b, job["ranks"])
        for job in jobs
        if job["ranks"] <= cores
        for b, took, _ in job["epochs"]
    ]


def step_seconds(lines, data, rounds):
    """{method: p} of the methods of these lines, timed on these images."""
    took = {}
    for row in updates.measure(data, [BATCH], rounds, lambda line: None):
        took[row["update"]] = median(row["update_seconds"])
    found = {}
    for name in dict.fromkeys(line.method for line in lines):
        clipped = METHODS[name].base.clip is not None
        found[name] = max(0.0, took[name] - took["sgd"]) + clipped * took[updates.CLIP]
    return found


def to_the_target(lines):
    """Those of steps_shown.Lines that reach the highest target."""
    target = max((line.target for line in lines), default=None)
    return [line for line in lines if line.target == target and line.medians]


def seconds_on(ranks, counts, model, step):
    """{batch size: seconds} on so many ranks of {batch size: updates}; none with idle ranks."""
    return {b: S * (model.update(b, ranks) + step) for b, S in counts.items() if b >= ranks}


def soonest(line, model, step):
    """{ranks: (batch size, seconds)}, with the batch that is done first on so many ranks."""
    times = {}
    for ranks in PROJECTED_RANKS:
        each = seconds_on(ranks, line.medians, model, step)
        if not each:
            break
        b = min(each, key=each.get)
        times[ranks] = b, each[b]
    return times


@dataclass(frozen=True)
class Draws:
    """What the intervals of a line come from, through every network alike.

    updates   {batch size: DRAWS medians of seeds that are drawn anew}
    misfits   {ranks: DRAWS ratios of an epoch to the model's}
    """

    updates: dict
    misfits: dict


def drawn(line, ratios, rng):
    """The Draws of a measures.steps_shown.Line and of the ratios of `misfits`."""
    updates = {
        b: np.median(rng.choice(line.steps[b], (DRAWS, len(line.steps[b]))), axis=1)
        for b in line.medians
    }
    ranks = [R for R in PROJECTED_RANKS if max(line.medians) >= R]
    return Draws(updates, {R: rng.choice(ratios, DRAWS) for R in ranks})


def bought(line, network, model, step, draws):
    """What more ranks buy the method of a measures.steps_shown.Line that reaches its target.

    model    the CostModel with this network
    step     seconds of p
    draws    the line's
    """
    times, every = {}, []
    for ranks, (b, seconds) in soonest(line, model, step).items():
        first = np.min(list(seconds_on(ranks, draws.updates, model, step).values()), axis=0)
        every.append(first * draws.misfits[ranks])
        low, high = np.percentile(every[-1], INTERVAL, method="nearest").tolist()
        times[ranks] = b, seconds, low, high
    middle = [seconds for _, seconds, _, _ in times.values()]
    worth = [worth_having(seconds) for seconds in np.array(every).T.tolist()]
    # A draw that never gets there gains nothing; one that needs more ranks gains without bound.
    gain = [first / soonest if isfinite(soonest) else 1.0
            for first, soonest in zip(every[0], np.min(every, axis=0), strict=True)]  # fmt: skip
    ends = [np.percentile(x, INTERVAL, method="nearest").tolist() for x in (worth, gain)]
    return Bought(
        line.method, line.target, network, times,
        (worth_having(middle), *ends[0]), (middle[0] / min(middle), *ends[1]),
    )  # fmt: skip


def worth_having(seconds):
    """Up to how many ranks each is at least EFFICIENT, from the seconds on 1, 2, 4, ... of them."""
    found = 1
    for ranks, took in zip(PROJECTED_RANKS, seconds, strict=False):
        if not isfinite(took) or seconds[0] / took < EFFICIENT * ranks:
            break
        found = ranks
    return found


def all_bought(lines, networks, model, steps, ratios):
    """[Bought] of every line, through this machine's network and the others.

    lines      as to_the_target gives them
    networks   {name: (latency, bandwidth)} in units of with_network
    steps      as step_seconds gives them
    ratios     those of `misfits`
    """
    models = {HERE: model} | {name: with_network(model, *of) for name, of in networks.items()}
    draws = all_drawn(lines, ratios)
    return [
        bought(line, network, its, steps[line.method], of)
        for network, its in models.items()
        for line, of in zip(lines, draws, strict=True)
    ]


def all_drawn(lines, ratios):
    """The Draws of these lines, the same whenever they are asked for."""
    rng = generator(0, 10)
    return [drawn(line, ratios, rng) for line in lines]
