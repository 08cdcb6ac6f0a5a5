"""answer: how large can the batch be, and what must be adjusted then?"""

from functools import partial

import click

from .console import Sentence, say, show
from .options import options
from .tune import records_of
from .workshop import with_workshop

PARTS = ("trials", "sizes", "short", "changes", "rates", "rules", "grown")
FEWER = 3  # seeds at other rates than the chosen one


@click.command()
@click.argument("parts", nargs=-1, type=click.Choice(PARTS), metavar="[PART]...")
@click.option("--seeds", type=click.IntRange(1, 100), default=5, show_default=True,
              help="Seeds, none of which a search has seen; of rates at most 3.")  # fmt: skip
@options("figures")
@with_workshop
def answer(workshop, parts, seeds, out):
    """Tune five methods alike, and see how far each goes.

    PART is one of: trials, the searches, on held-out images; sizes, every method at every batch
    size; at 8,192, short (in a few epochs), changes (one thing at a time added or left out), rates
    (larger and smaller ones) and rules (numbers carried from other sizes); and grown, a batch that
    grows instead of a rate that falls. All if none is given. What is in the folder of the figures
    already is not made again.
    """
    from minisgd.report.answer import SEARCHES
    from minisgd.report.answer_plan import plan
    from minisgd.report.experiments import EXPERIMENTS, Kept
    from minisgd.report.publish import prepare_folder
    from minisgd.report.trials import Trials

    trials = Trials(out)
    if not parts or "trials" in parts:
        prepare_folder(out)
        search_all(workshop, trials, SEARCHES)
        show_trials(trials, out)
    if parts == ("trials",):
        return
    the_plan = plan(trials)
    kept = Kept(out, EXPERIMENTS | the_plan.experiments)
    amiss = []
    for part in PARTS[1:]:
        if not parts or part in parts:
            name = "answer" if part == "sizes" else f"answer-{part}"
            experiment = the_plan.experiments[name]
            count = min(seeds, FEWER) if part == "rates" else seeds
            if not all(kept.records(cell) for cell in experiment.cells(count)):
                data_of(workshop, trials)
            amiss.append(workshop.complete(experiment, count, kept))
            show_part(part, name, kept, the_plan, out)
    if any(amiss):
        raise Sentence("; ".join(filter(None, amiss)), 1)


def search_all(workshop, trials, searches):
    """Make those of {(method, size): Search} that are not kept; those at one size side by side."""
    from minisgd.report.answer import HELD_OUT
    from minisgd.report.experiments import Kept
    from minisgd.report.search import halve
    from minisgd.report.selection import hold_out

    missing = {key: search for key, search in searches.items() if not trials.of(search)}
    say(f"the searches: {len(missing) or 'none'} of {len(searches)} to do")
    # The results in the folder, too, must be of this dataset: refuse now if they are not.
    data = data_of(workshop, trials, Kept(trials.folder)) if missing else None
    for b in dict.fromkeys(b for _, b in missing):
        say(f"batch size {b:,}")
        these = [search for (_, size), search in missing.items() if size == b]
        run = partial(records_of, workshop, trials.name, hold_out(data, HELD_OUT), {})
        done = halve(run, {s: s.candidates() for s in these}, these[0].seeds, these[0].halvings)
        cells = [settings for ends in done.values() for settings, _ in ends]
        trials.add(done, data, workshop.how_made(cells))


def data_of(workshop, *found):
    """The dataset, which must be as large as MNIST and that of what was found earlier.

    found    Trials and Kept
    Raises:  SettingError if it is another one
    """
    from minisgd.errors import SettingError
    from minisgd.report.answer import HELD_OUT, LEFT

    data = workshop.data()
    if len(data.train.labels) != LEFT + HELD_OUT:
        raise SettingError(
            f"{click.get_current_context().info_name} needs a training set of "
            f"{LEFT + HELD_OUT:,} images, its largest batch, and {data.name} has "
            f"{len(data.train.labels):,}: give another --dataset"
        )
    for each in found:
        each.check(data)
    return data


def show_trials(trials, out):
    from minisgd import drawing
    from minisgd.report import answer_shown
    from minisgd.report.answer import SEARCHES
    from minisgd.report.publish import note_on, page, publish
    from minisgd.report.trials import NAME

    note = note_on(trials.made["dataset"])
    lines, advice = answer_shown.trials_table(trials, SEARCHES)
    figure = drawing.chart(answer_shown.trials_plots(trials), trials.made["title"], note)
    where = publish(out, NAME, figure, "every trial")
    show([*page(trials.made["title"], note, lines, answer_shown.trials_text(trials)), where])
    for sentence in advice:
        say(sentence)


def show_part(part, name, kept, the_plan, out):
    """Print the table of a part and draw its figure."""
    from minisgd import drawing
    from minisgd.report import answer_shown as shown
    from minisgd.report.publish import note_on, page, publish

    cells = getattr(the_plan, part)
    found = shown.results(kept, name, cells)
    if not found:
        return
    title, note = kept.made[name]["title"], note_on(kept.made[name]["dataset"])
    if part == "sizes":
        lines = shown.method_lines(found) + shown.reported_lines(kept)
        bar = shown.bar_of(lines)
        if bar is None:
            return
        table = shown.sizes_table(lines)
        figure = drawing.carried_figure(
            lines, title, (0.95, 0.995), bar, shown.all_carried(lines, bar), note
        )
    elif part == "rates":
        lines = shown.method_lines(shown.alike(found))
        table = shown.rates_table(lines)
        figure = drawing.method_figure(
            lines, title, "the rate, over the one that was chosen", (0.95, 0.995), note=note
        )
    else:
        rows, ends = shown.named(found), (0.95, 0.995)
        if part == "short":
            table = shown.short_table(kept, the_plan)
        elif part == "grown":
            rows, ends = shown.with_updates(rows, cells), (0.985, 0.995)
            table = shown.rows_table(rows)
        else:
            table = shown.rows_table(rows)
        figure = drawing.rows_figure(rows, title, ends, note)
    where = publish(out, name, figure, "every epoch")
    show([*page(title, note, table), where])
