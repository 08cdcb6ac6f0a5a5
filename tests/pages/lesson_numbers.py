"""The numbers of figures/README.md, the lesson. A chapter is a function of kept_files.Files."""

from page_numbers import given, here, listed

from minisgd.measures.noise_scale import fitted, steps_to_target
from minisgd.measures.survival import kinds

N = 60_000  # training images


def beginning(files):
    measures = [path.stem for path in files.folder.glob("measure-*.csv")]
    return listed(
        given("0", "the seed"),
        here(len(measures), "figures/"),
        here(sum(files.minutes(name) for name in measures), "figures/measure-*.json"),
        given("two", "cores"),
        here(sum(n for _, _, n in kinds(5, 10).values()), "minisgd/measures/survival.py"),
    )


def covariance(files):
    """Ch. 1. A ratio is of measured to exact; the trace goes "to" so much from b = 64 to 8192."""
    name = "measure-covariance"

    def ratios(of, **wanted):
        rows = files.rows(name, rule="none", **wanted)
        return [getattr(row, of) / row.exact for row in rows]

    def to(of, rule, quantity, epoch, start="exact"):
        first, *_, last = files.rows(name, rule=rule, quantity=quantity, epoch=epoch)
        return getattr(last, of) / getattr(first, start)

    def furthest(quantity):
        return 100 * max(abs(ratio - 1) for ratio in ratios("measured", quantity=quantity))

    errors = ratios("error", quantity="trace")
    rest = [
        here(to(of, "sqrt", "the rest", epoch), name)
        for epoch in (0, 1)
        for of in ("measured", "error")
    ]
    linear = [to("measured", "linear", "trace", epoch, "measured") for epoch in (0, 1)]
    return listed(
        given("160", "draws, in minisgd/measures/covariance.py"),
        here(furthest("trace"), name),
        here(100 * min(errors), name),
        here(100 * max(errors), name),
        given("dozen", "eigenvalues, in minisgd/measures/covariance.py"),
        here(furthest("the rest"), name),
        given("64 8192", "batch sizes"),
        *rest,
        given("8,192 60,000", "images"),
        here(to("exact", "sqrt", "trace", 0), name),
        here(linear[0], name),
        here(linear[1], name),
        here(to("exact", "linear", "trace", 0), name),
    )


def equivalence(files):
    """Ch. 2."""
    name = "measure-equivalence"

    def at(epoch, k):
        return files.cell(name, epoch=epoch, k=k)

    def unraised(epoch):
        """The largest k of an epoch for which the large step does not raise the loss."""
        return max(row.k for row in files.rows(name, epoch=epoch) if row.rise <= 0)

    later = files.rows(name, epoch=5)
    worse = [row.k for row in later if row.distance > at(1, row.k).distance]
    return listed(
        here(at(0, 32).batch_size, name),
        here(at(0, 32).distance, name),
        given("32", "k"),
        here(at(0, unraised(0)).batch_size, name),
        here(at(0, unraised(0)).lr, name),
        given("2", "k"),
        here(at(1, 2).distance, name),
        given("128", "k"),
        here(at(1, 128).distance, name),
        here(at(1, 128).loss_before, name),
        here(at(1, 128).loss_large, name),
        given("five", "epochs"),
        here(min(worse), name),
        here(at(5, 128).distance, name),
        given("20 2", "epochs, and k"),
        here(at(20, 2).distance, name),
        here(unraised(20), name),
        here(at(20, 4).distance, name),
        here(min(worse), name),
        given("five ten", "epochs, and those of the report's warmup"),
        given("128", "k"),
        here(at(1, 128).length, name),
    )


def noise_scale(files):
    """Ch. 4."""
    name = "measure-noise-scale"

    def noise(update):
        return files.cell(name, update=update).exact_noise

    rows = files.rows(name)
    least = min(rows, key=lambda row: row.exact_noise)
    off = [abs(row.noise - row.exact_noise) / row.noise_error for row in rows]
    steps = {b: found for b, (found, _) in steps_to_target(files.kept, N).items()}
    s_min, b_crit = fitted({b: (found,) for b, found in steps.items()})

    def law(b):
        return s_min.value * (1 + b_crit.value / b)

    reached = [noise(938), noise(2814)]  # before and after 97 %
    return listed(
        given("64", "the batch size"),
        here(noise(0), name),
        here(least.exact_noise, name),
        here(least.update, name),
        here(noise(938), name),
        here(noise(2814), name, to=10),
        given("three", "epochs"),
        here(noise(9380), name, to=10),
        given("ten", "epochs"),
        here(noise(18760), name, to=100),
        given("twenty two", "epochs, and batch sizes"),
        here(max(off), name),
        given("60,000 97", "images, and the accuracy that is to be reached"),
        here(100 * max(abs(law(b) / steps[b] - 1) for b in steps), "the tables of the figures"),
        here(b_crit.value, "the tables of the figures"),
        here(b_crit.error, "the tables of the figures"),
        given("97", "the same accuracy"),
        here(min(reached), name, to=10),
        here(max(reached), name, to=10),
        here(max(reached) / b_crit.value, name),
        given("hundred", "in words: the order of B_crit"),
        given("eight 1,024 8,192", "batch sizes"),
        here(1 - steps[8192] / steps[1024], "the tables of the figures"),
        here(1 - law(8192) / law(1024), "the tables of the figures"),
    )


def your_own(files):
    """Ch. 7."""
    return listed(
        given("two two two", "what the report compares"),
        given("two", "vectors, in the example"),
        given("ten .9", "classes, and a momentum"),
    )


CHAPTERS = {
    "": beginning,
    "1. The noise of an update (Sec. II)": covariance,
    "2. One large step for many small ones (Sec. II)": equivalence,
    "4. How large a batch is worth it (Sec. V)": noise_scale,
    "7. An idea of your own": your_own,
}
NOT_YET = (
    "3. What momentum adds (Sec. III)",
    "5. What kills 4096 and 8192, and why warmup does not save them (Sec. IV)",
    "6. Sharp minima (Sec. I)",
)
