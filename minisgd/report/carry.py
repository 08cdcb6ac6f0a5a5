"""Does the answer carry over: to other data, other networks, other initial weights, more images?

The three best methods of the answer are run at the batch sizes of each of PLACES, and in most the
report's four rules as well. First with the settings that the answer's searches chose for LeNet-5 on
MNIST, at 2,048 by the power in between; then, where that is planned, with those of the same
searches, made again in that place. All seeds are new to whatever was tuned.

More data. The built-in digits are drawn at 60,000, 240,000 and 960,000 images. Equal numbers of
epochs would give the larger sets more updates, and equal numbers of updates give them the same; so
every run sees SEEN images, be it 16 times 60,000 or once 960,000. A run of a batch size then makes
as many updates at the same rates, whatever the number of images: all its batch sizes divide 60,000,
and no batch is a remainder. What differs is how often an image comes again. If what a batch loses
against the smallest one is the same in all three sets, then the largest useful batch does not grow
with the data as such. `measure noise-scale` tells whether the noise scale grows, at equal updates
of one run. The digits are bent half as strongly again as those of "glyphs", so that 60,000 are not
enough to learn them from.
"""

from dataclasses import dataclass, field, replace
from pathlib import Path
from shlex import quote

from ..errors import SettingError
from . import answer, answer_plan
from .answer import FIRST_SEED, REPORTED, NoSearch, at_sizes, winners
from .experiments import EXPERIMENTS, Experiment, Kept
from .trials import Trials

BEST = ("muon", "lamb", "nesterov")  # of the answer's methods, on MNIST
SIZES = (64, 2048, 8192, 60000)
DRAWN = {"bent-glyphs": 60_000, "bent-glyphs-240000": 240_000, "bent-glyphs-960000": 960_000}
GROWING = ("muon", "nesterov")  # what these are trained with
# Batch sizes without a remainder. That of 500 was added when it had been seen that what a batch
# loses depends on the number of images between 80 and 2,000, if anywhere; the criteria stayed.
DIVISORS = (80, 500, 2000, 7500, 15000, 30000, 60000)
SEEN = 960_000  # images that a run on drawn digits sees


ANSWERS = "the answer's settings"  # whatever dataset they were found on


@dataclass(frozen=True)
class Place:
    """Where the answer is tried.

    title    in words
    dataset  that is trained on; None for that of the answer
    changes  {setting: value} that differ from the answer's
    sizes    batch sizes
    rules    whether the report's rules run as well
    tuned    whether the searches are made again
    seeds    at most
    whose    settings are tried there, in words: those of the answer
    """

    title: str
    dataset: str | None = None
    changes: dict = field(default_factory=dict)
    sizes: tuple = SIZES
    rules: bool = True
    tuned: bool = False
    seeds: int = 100
    whose: str = "LeNet-5's settings"


PLACES = {
    "fashion": Place(
        "LeNet-5 on Fashion-MNIST", dataset="fashion-mnist", tuned=True, whose="MNIST's settings"
    ),
    "mlp": Place("a network without convolutions (MLP)", changes={"network": "mlp"}, tuned=True),
    "he": Place(
        "LeNet-5 from He's initial weights", changes={"init": "he"}, whose=ANSWERS
    ),
    # An epoch takes three to four times as long: the methods alone, where they were tuned, and so
    # few seeds that no verdict is given on them.
    "wide": Place(
        "LeNet-5 with twice the channels", changes={"network": "lenet5-wide"},
        sizes=answer.SEARCHED, rules=False, seeds=3,
    ),
}  # fmt: skip


def transferred(place, tuned):
    """{(way, batch size): settings} in a place: the methods with the settings of the answer, as
    answer.winners gives them, and the report's rules.
    """
    cells = at_sizes(tuned, BEST, place.sizes)
    if place.rules:
        cells |= {(label, b): ruled(name, b) for label, name in REPORTED.items()
                  for b in place.sizes}  # fmt: skip
    return {key: replace(settings, **place.changes) for key, settings in cells.items()}


def ruled(name, b):
    """The settings of one of the report's experiments at any batch size. At its base batch size a
    rule gives η0, with and without a warmup: one run for all.
    """
    settings = replace(EXPERIMENTS[name].settings[0], batch_size=b)
    if b == settings.base_batch_size:
        return replace(settings, rule="none", warmup="none")
    return settings


def searches(place):
    """{(method, batch size): Search}: the answer's, for another place."""
    return {
        (name, b): replace(search, base=replace(search.base, **place.changes))
        for (name, b), search in answer.SEARCHES.items()
        if name in BEST and b in answer.SEARCHED
    }


def growing(tuned, N):
    """{(method, batch size): settings} of runs that see SEEN of N drawn digits."""
    cells = at_sizes(tuned, GROWING, DIVISORS)
    return {key: replace(settings, epochs=SEEN // N) for key, settings in cells.items()}


@dataclass(frozen=True)
class Part:
    """Runs on one dataset, {(way, batch size): settings}, and the experiment that they are."""

    name: str
    title: str
    dataset: str | None
    cells: dict
    seeds: int = 100

    @property
    def experiment(self):
        settings = tuple(dict.fromkeys(self.cells.values()))
        return Experiment(f"carry-{self.name}", self.title, settings, first_seed=FIRST_SEED)


def parts(out):
    """{name: Part} of all parts whose searches are in a folder such as figures/."""
    try:
        tuned = winners(Trials(out), answer.SEARCHES)
    except NoSearch:
        return {}
    found = {}
    for name, place in PLACES.items():
        cells = transferred(place, tuned)
        title = f"{place.title}, with {place.whose}"
        found[name] = Part(name, title, place.dataset, cells, place.seeds)
        if place.tuned:
            try:
                found[f"{name}-tuned"] = tuned_there(out, name)
            except NoSearch:
                continue
    for dataset, N in DRAWN.items():
        title = f"{N:,} drawn digits, {SEEN:,} images seen"
        found[dataset] = Part(dataset, title, dataset, growing(tuned, N))
    return found


def tuned_there(out, name):
    """The Part of a place with the settings that its own searches chose.

    Raises:  NoSearch if a search is missing
    """
    place = PLACES[name]
    command = f"carry {name}-tuned --out {quote(str(out))}"
    tuned = winners(trials(out, name), searches(place), command)
    title = f"{place.title}, tuned there"
    cells = at_sizes(tuned, BEST, place.sizes)
    return Part(f"{name}-tuned", title, place.dataset, cells, place.seeds)


def trials(out, name):
    """The Trials of a place."""
    place = PLACES[name]
    title = f"The trials of the searches: {place.title}"
    return Trials(folder_of(out, place.dataset), f"carry-{name}-trials", title)


def folder_of(out, dataset):
    """Where the results on a dataset are: the answer's in the folder itself."""
    return Path(out) / dataset if dataset else Path(out)


def known(out):
    """{dataset: experiments whose runs its folder may hold}; None is the dataset of the report and
    of the answer, of which there are the report's alone if the answer's searches are not there.
    """
    found = {None: dict(answer_plan.known(Trials(out)))}
    for part in parts(out).values():
        found.setdefault(part.dataset, {})[part.experiment.name] = part.experiment
    return found


def everything(out):
    """{dataset: Kept} of a folder such as figures/ and of those in it, None first.

    Raises:  SettingError if a place was tuned on one dataset and trained on another
    """
    found = {d: Kept(folder_of(out, d), experiments) for d, experiments in known(out).items()}
    for name, place in PLACES.items():
        kept = found.get(place.dataset)
        digests = {trials(out, name).made.get("digest"), kept and kept.digest} - {None}
        if place.tuned and len(digests) > 1:
            raise SettingError(
                f"{kept.folder} holds results and searches of different datasets: give another "
                "--out"
            )
    return found


def cost(cells, N):
    """(runs, epochs of 60,000 images) of runs on N images."""
    return len(cells), round(sum(cell.epochs for cell in cells) * N / 60_000)


def cost_tuned(place, seeds):
    """The same of the runs of a place that is still to be tuned, with so many seeds."""
    runs = len(BEST) * len(place.sizes) * min(seeds, place.seeds)
    return runs, answer.METHODS[BEST[0]].base.epochs * runs


def search_cost(every):
    """(runs, epochs) of Searches."""
    return tuple(sum(search.cost[k] for search in every) for k in (0, 1))
