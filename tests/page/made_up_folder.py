"""Folders of made-up results, as the commands leave them."""

from dataclasses import replace
from types import SimpleNamespace

from made_up_runs import MadeUpTrials

from minisgd.disk.formats import write_json, write_table
from minisgd.machine import buying, buying_shown
from minisgd.machine.speedup import CostModel
from minisgd.machine.speedup_results import COLUMNS as SCALING
from minisgd.measures import steps_shown
from minisgd.measures.curvature import COLUMNS, curvature
from minisgd.measures.steps import COLUMNS as STEPS
from minisgd.report import carry
from minisgd.report.answer import METHODS, SEARCHES, SIZES
from minisgd.report.answer_plan import plan
from minisgd.report.experiments import EXPERIMENTS, Kept
from minisgd.report.trials import Trials
from minisgd.settings import Settings

MNIST = SimpleNamespace(name="mnist", identity="made up")
FASHION = SimpleNamespace(name="fashion-mnist", identity="made up, too")
NAMES = list(METHODS)


def records(settings, accuracy, stuck=(), diverges=None):
    """The records of a run whose accuracy rises to `accuracy`; it may be stuck in some epochs, or
    end in the epoch in which it diverges.
    """
    found = []
    for epoch in range(1, settings.epochs + 1):
        a = round(accuracy - 0.4 / epoch + 0.4 / settings.epochs, 4)
        record = {"epoch": epoch, "lr": settings.scaled_lr, "seconds": 1.0, "status": "ok",
                  "train_loss": 2 / epoch, "train_accuracy": a - 0.01, "test_loss": 1 / epoch,
                  "test_accuracy": a}  # fmt: skip
        if epoch in stuck:
            record |= {"status": "stuck", "test_accuracy": 0.1135, "test_loss": 2.3}
        if epoch == diverges:
            none = ("train_loss", "train_accuracy", "test_loss", "test_accuracy")
            return [*found, record | dict.fromkeys(none) | {"status": "diverged"}]
        found.append(record)
    return found


def keep_report(folder, names=("figure1", "figure3"), seeds=2):
    """Runs of the report: the larger the batch, the less accurate, by .001 and a seed's .0002. At
    8192 with linear scaling every run is stuck from epoch 20, and seed 0 of 4096 diverges in 5.
    """
    kept = Kept(folder)
    for name in names:
        done = {}
        for cell in EXPERIMENTS[name].cells(seeds):
            accuracy = 0.99 - 0.001 * (cell.batch_size.bit_length() - 7) - 0.0002 * cell.seed
            linear, b = cell.rule == "linear", cell.batch_size
            stuck = range(20, 31) if linear and b == 8192 else ()
            diverges = 5 if linear and b == 4096 and cell.seed == 0 else None
            done[cell] = records(cell, accuracy, stuck, diverges)
        kept.add(EXPERIMENTS[name], done, MNIST, {"command": "made up"})


def keep_answer(folder, seeds=3):
    """The searches and the runs of the answer: the kth method loses .001 k with every doubling."""
    trials, made_up = Trials(folder), MadeUpTrials()
    done = {
        search: [
            (trial.settings, records(trial.settings, trial.median)[-1])
            for trial in made_up.of(search)
        ]
        for search in SEARCHES.values()
    }
    trials.add(done, MNIST, {"command": "made up"})
    the_plan = plan(Trials(folder))
    experiment = the_plan.experiments["answer"]
    done = {}
    for (name, b), settings in the_plan.sizes.items():
        lost = 0.001 * NAMES.index(name) * SIZES.index(b)
        for cell in experiment.cells(seeds):
            if cell == replace(settings, seed=cell.seed):
                done[cell] = records(cell, 0.991 - lost - 0.0002 * cell.seed)
    Kept(folder, EXPERIMENTS | the_plan.experiments).add(
        experiment, done, MNIST, {"command": "made up"}
    )


def keep_again(folder, seeds):
    """Runs of "what did the work" with the settings of Fig. 5 at 8192: .9 at the end."""
    experiment = plan(Trials(folder)).experiments["answer-changes"]
    again = Settings(8192, momentum=0.9)
    done = {cell: records(cell, 0.9) for cell in (replace(again, seed=seed) for seed in seeds)}
    Kept(folder, EXPERIMENTS | {experiment.name: experiment}).add(
        experiment, done, MNIST, {"command": "made up"}
    )
    return experiment


def keep_elsewhere(folder):
    """Runs of Muon on Fashion-MNIST with MNIST's settings, after keep_answer: .9 at the end."""
    carry.folder_of(folder, "fashion-mnist").mkdir()
    keep_place(folder, "fashion", FASHION)


def keep_place(folder, name, dataset=MNIST):
    """Runs of Muon in a part of `carry`, after keep_answer: .9 at the end."""
    part = carry.parts(folder)[name]
    cells = [cell for cell in part.experiment.cells(1) if cell.optimizer == "muon"]
    Kept(carry.folder_of(folder, part.dataset), {part.experiment.name: part.experiment}).add(
        part.experiment,
        {cell: records(cell, 0.9) for cell in cells},
        dataset,
        {"command": "made up"},
    )


def keep_tuned(folder):
    """The searches on Fashion-MNIST, and runs with what they chose, after keep_elsewhere: .91 for
    64 images, .001 less for every further size of carry.SIZES, and a seed's .0002.
    """
    trials, made_up = carry.trials(folder, "fashion"), MadeUpTrials(0.4)
    done = {
        search: [
            (trial.settings, records(trial.settings, trial.median)[-1])
            for trial in made_up.of(search)
        ]
        for search in carry.searches(carry.PLACES["fashion"]).values()
    }
    trials.add(done, FASHION, {"command": "made up"})
    part = carry.parts(folder)["fashion-tuned"]
    keep_part(folder, part, FASHION, lambda cell: 0.91 - 0.001 * carry.SIZES.index(cell.batch_size))


def keep_digits(folder, datasets=("bent-glyphs", "bent-glyphs-240000")):
    """Runs on drawn digits, after keep_answer: .95 for 80 images, .01 less for each further size,
    and a seed's .0002.
    """
    for dataset in datasets:
        part = carry.parts(folder)[dataset]
        named = SimpleNamespace(name=dataset, identity=f"made up {dataset}")
        keep_part(folder, part, named,
                  lambda cell: 0.95 - 0.01 * carry.DIVISORS.index(cell.batch_size))  # fmt: skip


def keep_part(folder, part, dataset, accuracy, seeds=2):
    """Runs of a carry.Part, of which `accuracy` says how they end but for a seed's .0002."""
    there = carry.folder_of(folder, part.dataset)
    there.mkdir(exist_ok=True)
    done = {c: records(c, accuracy(c) - 0.0002 * c.seed) for c in part.experiment.cells(seeds)}
    kept = Kept(there, {part.experiment.name: part.experiment})
    kept.add(part.experiment, done, dataset, {"command": "made up"})


def keep_steps(folder):
    """Made-up steps of two methods to two accuracies, what a step takes, and the time on more
    ranks. One seed of muon with 16384 does not get to the lower one.
    """
    rows = []
    for method, of in (("momentum", 4), ("muon", 1)):
        for target, more in ((0.97, 1), (0.985, 3)):
            for b, updates in ((64, 1000), (1024, 100), (16384, 50)):
                for seed in (1, 2, 3):
                    first = method, b, "seed", target, seed, 0.1, 0.9
                    made = of * more * (updates + seed)
                    ends = {"steps": made, "epochs": made * b / 55_000, "updates": made}
                    ends |= {"cost": 2, "accuracy": target, "ended": "reached"}
                    if (method, target, b, seed) == ("muon", 0.97, 16384, 3):
                        ends |= {"steps": None, "epochs": None, "ended": "bound"}
                    rows.append(dict(zip(STEPS, first, strict=False)) | ends)
    write_table(folder / "measure-steps.csv", STEPS, rows)
    model = {"c": 1e-4, "o": 1e-4, "alpha": 5e-6, "beta": 4e-10}  # 5 µs, 20 Gbit/s
    steps = {"momentum": 1e-4, "muon": 2e-3}
    misfits = [0.9, 1.1]
    write_json(folder / "scaling.json", {"model": model, "steps": steps, "misfits": misfits})
    lines = buying.to_the_target(steps_shown.lines(steps_shown.read(folder / "measure-steps.csv")))
    every = buying.all_bought(lines, buying.CLUSTERS, CostModel(**model), steps, misfits)
    write_table(folder / "scaling.csv", SCALING, buying_shown.rows_of(every))


def keep_curvature(folder, data):
    """The table of the curvature, measured along a short run on few images; and once more, as if
    it had been made with gradual warmup. The batch sharpness is negative
    in the middle and nowhere else.
    """
    found = curvature(
        data, 0, 1, lambda line: None, sizes=(512,), warmups=("none",), seeds=1, window=(0, 0.2),
        subset=50, probe=50,
    )  # fmt: skip
    for k, row in enumerate(found.rows):
        row["batch_sharpness"] = -2.5 if k == len(found.rows) // 2 else 1.0 + k
    rows = found.rows + [row | {"warmup": "gradual"} for row in found.rows]
    write_table(folder / "measure-curvature.csv", COLUMNS, rows)
