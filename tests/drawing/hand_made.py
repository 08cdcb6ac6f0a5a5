"""Records made by hand, figures of every layout, and how a figure is read."""

from minisgd.drawing import (
    Line,
    Losses,
    accuracy_figure,
    comparison_figure,
    losses_figure,
    rate_figure,
    report_figure,
)

SIZES = [64 * 2**k for k in range(8)]


def records(curve, **columns):
    """One run: a test accuracy for each epoch, the train accuracy .01 below it."""
    row = dict(rule="none", warmup="none", optimizer="sgd", batch_size=64, base_lr=0.01, lr=0.01)
    row |= dict(momentum=0.0, seed=0, train_loss=1.0, test_loss=1.0, seconds=1.0, status="ok")
    row |= columns
    return [
        {**row, "epoch": i, "test_accuracy": a, "train_accuracy": None if a is None else a - 0.01}
        for i, a in enumerate(curve, start=1)
    ]


# ---- reading a figure


def lines(axes):
    """{label: line} of the medians."""
    return {line.get_label(): line for line in axes.lines if line.get_label().startswith("b = ")}


def marks(axes, kind):
    """The points of every mark of that kind, as a list of (epoch, value)."""
    found = [line for line in axes.lines if line.get_label().startswith(kind)]
    return [tuple(point) for line in found for point in line.get_xydata()]


def band(collection):
    """{x: (low, high)} of a band."""
    (path,) = collection.get_paths()
    points = path.vertices
    return {
        float(x): tuple(end(y for at, y in points if at == x) for end in (min, max))
        for x in points[:, 0]
    }


def legend(figure):
    return [text.get_text() for box in figure.legends for text in box.get_texts()]


def texts(figure):
    return " | ".join(text.get_text() for text in figure.texts)


def titles(figure):
    return [axes.get_title() for axes in figure.axes if axes.get_title()]


# ---- a figure of every layout

LOST = [
    Line("Muon", {64: [0.0, -0.001], 8192: [-0.01, -0.02], 60000: [-0.5]}),
    Line("a rule", {64: [-0.01], 8192: [-0.9]}, faint=True),
]

LAYOUTS = {
    "losses": lambda: losses_figure(
        [Losses("there\n64 at its best: 0.9900; 2 seeds", LOST)] * 3,
        "t",
        "test accuracy, against 64 at its best",
        (-0.1, 0.02),
        (0.002, 0.005),
        "NOT MNIST",
    ),
    "one epoch": lambda: accuracy_figure(records([0.5]), "t"),
    "eight sizes": lambda: accuracy_figure(
        [row for b in SIZES for row in records([0.2, 0.95], batch_size=b, lr=0.01414 * b / 64)],
        "a title so long that it has to go on in a second line " * 2,
        note="built-in glyphs, not MNIST",
    ),
    "long labels and both marks": lambda: accuracy_figure(
        [
            row
            for b in SIZES
            for w in ("none", "gradual")
            for m in (0.9, 0.929)
            for status in ("stuck", "diverged")
            for row in records(
                [0.95],
                batch_size=b,
                warmup=w,
                momentum=m,
                base_lr=0.02 - m / 100,
                seed=len(status),
                status=status,
            )
        ],
        "t",
    ),
    "six sweeps": lambda: comparison_figure(
        [(f"Fig. {k}: a title that needs two lines here", records([0.2, 0.95])) for k in range(6)]
    ),
    "all that a figure of the report has": lambda: report_figure(
        [
            row
            for b in SIZES
            for s in (0, 1)
            for row in records([0.2, 0.95], batch_size=b, lr=0.01 * b / 64, seed=s, status="stuck")
        ],
        "Fig. 3: linear scaling, η = 0.01 b/64",
        losses=True,
        apart=(2048, 4096),
        reference=records([0.3, 0.9]),
        note="NOT MNIST: glyphs",
    ),
    "rates": lambda: rate_figure(
        [
            {"lr": lr, "validation_accuracy": lr, "test_accuracy": 0.95}
            for lr in (0.001, 0.01, 0.1, 0.92)
        ],
        {"validation": 0.92, "test": 0.001},
        "Which rate? b = 64, m = 0, 30 epochs, 5,000 training images held out",
        note="NOT MNIST: glyphs",
    ),
    "200 seeds": lambda: accuracy_figure(
        [row for s in range(200) for row in records([0.2, 0.9 + s / 2000], seed=s)], "t"
    ),
}
