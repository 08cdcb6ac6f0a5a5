"""carry: does the answer carry over to other data, other networks and more images?"""

import click

from .answer import data_of, search_all
from .console import Sentence, say, show
from .options import options
from .workshop import with_workshop

PARTS = ("fashion", "data", "mlp", "he", "fashion-tuned", "mlp-tuned", "wide")


@click.command()
@click.argument("parts", nargs=-1, type=click.Choice(PARTS), metavar="[PART]...")
@click.option("--seeds", type=click.IntRange(1, 100), default=5, show_default=True,
              help="Seeds, none of which a search has seen; of wide at most 3.")  # fmt: skip
@options("figures")
@with_workshop(
    dataset={"default": "mnist", "help": "The dataset of `answer`, for all but fashion and data."}
)
def carry(workshop, parts, seeds, out):
    """See whether the answer holds elsewhere, and with more data.

    PART is one of: fashion, the best methods and the report's rules on Fashion-MNIST, with the
    settings that `answer` chose on MNIST; mlp, he and wide, the same for another network, for He's
    initial weights and for twice the channels; fashion-tuned and mlp-tuned, with settings searched
    there; data, the same number of images seen of 60,000 to 960,000 drawn digits. All, the most
    telling first, if none is given. What is in the folder of the figures already is not made again.
    """
    from minisgd.report import carry as places
    from minisgd.report.answer import SEARCHES, winners
    from minisgd.report.trials import Trials

    winners(Trials(out), SEARCHES)  # all that follows needs them: refuse now if they are not here
    chosen = [part for part in PARTS if not parts or part in parts]
    tell_costs(chosen, seeds, out)
    amiss = []
    for part in chosen:
        name = part.removesuffix("-tuned")
        if part == "data":
            amiss += [complete(workshop.on(d), d, seeds, out) for d in places.DRAWN]
            show_data(out)
            continue
        there = workshop.on(places.PLACES[name].dataset)
        if part != name:
            search_there(there, name, out)
        amiss.append(complete(there, part, seeds, out))
        show_place(name, out)
    if any(amiss):
        raise Sentence("; ".join(filter(None, amiss)), 1)


def tell_costs(chosen, seeds, out):
    """Say how many runs and epochs each part takes, and how many of them are not kept."""
    from minisgd.report import carry as places

    kept, found, lines = places.everything(out), places.parts(out), []
    for part in chosen:
        for name, every, missing in costs(part, seeds, out, kept, found):
            if missing[0]:
                numbers = "".join(f"{n:>9,}" for n in (*every, *missing))
                lines.append(f"{name:<22}{numbers}")
    if not lines:
        say("nothing to do: all runs are kept")
        return
    say(f"{'':<22}{'runs':>9}{'epochs':>9}{'to do':>9}{'epochs':>9}   (of 60,000 images)")
    for line in lines:
        say(line)


def costs(part, seeds, out, kept, found):
    """(name, (runs, epochs) in all, (runs, epochs) that are not kept) of what a part consists of.

    kept, found    carry.everything and carry.parts
    """
    from minisgd.report import carry as places

    name = part.removesuffix("-tuned")
    if part != name:
        trials, every = places.trials(out, name), places.searches(places.PLACES[name]).values()
        missing = [search for search in every if not trials.of(search)]
        yield f"{name}: searches", places.search_cost(every), places.search_cost(missing)
    for name in list(places.DRAWN) if part == "data" else [part]:
        if name not in found:  # its settings are not known before the searches are done
            cost = places.cost_tuned(places.PLACES[part.removesuffix("-tuned")], seeds)
            yield name, cost, cost
            continue
        run, N = found[name], places.DRAWN.get(name, 60_000)
        cells = run.experiment.cells(min(seeds, run.seeds))
        missing = [cell for cell in cells if not kept[run.dataset].records(cell)]
        yield name, places.cost(cells, N), places.cost(missing, N)


def search_there(workshop, name, out):
    """Make the searches of a place that are not kept, and print what they chose."""
    from minisgd.report import answer_shown
    from minisgd.report import carry as places
    from minisgd.report.publish import note_on, page, prepare_folder
    from minisgd.report.trials import Trials

    place, trials = places.PLACES[name], places.trials(out, name)
    found = places.searches(place)
    prepare_folder(trials.folder)
    if place.dataset is None and not all(map(trials.of, found.values())):
        data_of(workshop, Trials(out))  # which must be that of the answer
    search_all(workshop, trials, found)
    lines, advice = answer_shown.trials_table(trials, found)
    show(page(trials.made["title"], note_on(trials.made["dataset"]), lines))
    for sentence in advice:
        say(sentence)


def complete(workshop, name, seeds, out):
    """Do the runs of a part that are not kept: a sentence on those that failed, or None."""
    from minisgd.report import carry as places
    from minisgd.report.publish import prepare_folder
    from minisgd.report.trials import Trials

    part = places.parts(out)[name]
    kept, count = places.everything(out)[part.dataset], min(seeds, part.seeds)
    prepare_folder(kept.folder)
    if name not in places.DRAWN and not all(map(kept.records, part.experiment.cells(count))):
        place = name.removesuffix("-tuned")
        data_of(workshop, places.trials(out, place) if part.dataset else Trials(out))
    return workshop.complete(part.experiment, count, kept)


def show_place(name, out):
    """Print the tables of a place and draw its figure."""
    from minisgd import drawing
    from minisgd.report import carry as places
    from minisgd.report import carry_shown as shown
    from minisgd.report.answer_shown import TOLERANCES
    from minisgd.report.publish import note_on, page, publish
    from minisgd.report.trials import Trials

    place, kept = places.PLACES[name], places.everything(out)
    if not kept[place.dataset].made.keys() & {f"carry-{name}", f"carry-{name}-tuned"}:
        return
    found = shown.panels(name, places.parts(out), kept)
    title = f"Does the answer carry over to {place.title}?"
    note = note_on(Trials(out).made["dataset"])  # that Fashion-MNIST is not MNIST is in the title
    figure = drawing.losses_figure(
        shown.as_losses(found), title, "test accuracy, against 64 at its best", shown.ENDS,
        TOLERANCES, note,
    )  # fmt: skip
    folder = places.folder_of(out, place.dataset)
    where = publish(folder, f"carry-{name}", figure, "every epoch")
    show([*page(title, note, shown.table(found)), where])


def show_data(out):
    """Print the tables of the drawn digits and draw their figure, in the folder of the first."""
    from minisgd import drawing
    from minisgd.report import carry as places
    from minisgd.report import carry_shown as shown
    from minisgd.report.answer_shown import TOLERANCES
    from minisgd.report.publish import page, publish

    found = shown.data_panels(places.parts(out), places.everything(out))
    if not found:
        return
    title = (
        f"Does the useful batch grow with the data? {places.SEEN:,} drawn digits seen, not MNIST"
    )
    figure = drawing.losses_figure(
        shown.data_losses(found), title,
        f"test accuracy, against that of {places.DIVISORS[0]} images", shown.ENDS, TOLERANCES,
    )  # fmt: skip
    first = next(iter(places.DRAWN))
    where = publish(places.folder_of(out, first), f"carry-{first}", figure, "every epoch")
    show([*page(title, None, shown.data_table(found)), where])
