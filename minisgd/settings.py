"""Settings: the one description of a run.

What differs from the report's protocol, `Settings.differing`, determines the key under which
results are kept, the name of the run's folder, the title and the legend of its figure and the
columns of its tables. No two runs can be mistaken for each other, and a new setting is one field.
"""

from dataclasses import asdict, dataclass, fields

from .errors import SettingError, one_of
from .inits import INITS
from .loss import LOSSES
from .networks import NETWORKS
from .optim import OPTIMIZERS
from .rules import effective_lr, scaled_adam, scaled_lr
from .schedules import batch_size_at, batch_steps, decay_factor, warmup_lr

MOST_EPOCHS = 1_000_000
MOST = 2**63 - 1  # of the other whole numbers, which are part of the name of a run's folder


@dataclass(frozen=True)
class Settings:
    """What a run depends on, besides its dataset. The defaults are the report's baseline.

    optimizer        a name in optim.OPTIMIZERS. "sgd" and "momentum" are the report's pair: the
                     momentum alone decides which of the two it is, whichever was given
    clip             the norm to which a longer gradient of the mean loss is clipped before the
                     optimizer sees it; None for no clipping
    beta2, epsilon, weight_decay, trust, adam_factor
                     of Adam, LARS, LAMB and Muon, see optim.py; β1 is the momentum
    warmup_updates   the length of the warmup in updates; None if it is given by warmup_epochs
    network          a name in networks.NETWORKS
    plain            train with the layers of layers.py as they are, not with their fused form
    own              the digest of the user's own file, whose entries the run may use; "" if there
                     is none
    init             a name in inits.INITS: what the initial weights are drawn from
    batch_schedule   how the batch grows, see schedules.batch_size_at; "" if it does not.
                     batch_size, which the rate follows, is the size that the run begins with
    loss             a name in loss.LOSSES

    Units:   lr (η0, of the base batch size) per update; epochs and warmup_epochs in epochs
    Raises:  SettingError (a ValueError) in one sentence for a value that makes no sense
    """

    batch_size: int = 64
    lr: float = 0.01
    rule: str = "none"
    base_batch_size: int = 64
    warmup: str = "none"
    warmup_epochs: int = 10
    momentum: float = 0.0
    epochs: int = 30
    seed: int = 0
    # Not in the report:
    optimizer: str = "sgd"
    clip: float | None = None
    beta2: float = 0.999
    epsilon: float = 1e-8
    weight_decay: float = 0.0
    trust: float = 0.001
    adam_factor: float = 1.0
    warmup_updates: int | None = None
    decay: str = "none"
    network: str = "lenet5"
    plain: bool = False
    own: str = ""
    init: str = "uniform"
    batch_schedule: str = ""
    loss: str = "softmax"

    def __post_init__(self):
        if self.optimizer in ("sgd", "momentum"):
            object.__setattr__(self, "optimizer", "momentum" if self.momentum else "sgd")
        if self.batch_schedule == "none":
            object.__setattr__(self, "batch_schedule", "")
        if self.epochs < 1:
            raise SettingError(f"a run needs at least 1 epoch, got {self.epochs}")
        if self.epochs > MOST_EPOCHS:  # they are counted one by one where the batch grows
            raise SettingError(f"a run has at most {MOST_EPOCHS:,} epochs, got {self.epochs}")
        if self.seed < 0:
            raise SettingError(f"a seed must be at least 0, got {self.seed}")
        for name in ("batch_size", "base_batch_size", "seed", "warmup_updates"):
            if (value := getattr(self, name) or 0) > MOST:
                raise SettingError(f"the {name} must be at most 2**63 - 1, got {value}")
        if self.clip is not None and not 0 < self.clip < float("inf"):
            raise SettingError(f"the clip must be a positive number, got {self.clip:g}")
        if not 0 <= self.beta2 < 1:
            raise SettingError(f"beta2 must be at least 0 and below 1, got {self.beta2:g}")
        for name in ("epsilon", "weight_decay", "adam_factor"):
            if not 0 <= getattr(self, name) < float("inf"):
                value = f"{getattr(self, name):g}"
                raise SettingError(f"the {name} must be a number of at least 0, got {value}")
        if not 0 < self.trust < float("inf"):
            raise SettingError(f"the trust must be a positive number, got {self.trust:g}")
        if self.warmup_updates is not None and self.warmup_updates < 1:
            raise SettingError(f"a warmup needs at least 1 update, got {self.warmup_updates}")
        effective_lr(self.rate(0, 1), self.momentum)  # raises what the rules raise
        if self.warmup != "none" and not self.warmup_updates and self.warmup_epochs > self.epochs:
            raise SettingError(
                f"a warmup of {self.warmup_epochs} epochs is longer than the run of {self.epochs}: "
                "give fewer --warmup-epochs or more --epochs"
            )
        if self.rule == "adam-sqrt" and self.optimizer != "adam":
            raise SettingError(
                "the rule adam-sqrt scales β1, β2 and ε of Adam as well: give --optimizer adam"
            )
        self.scaled_adam()  # raises what the rule raises
        if self.batch_schedule:
            batch_steps(self.batch_schedule, self.epochs)  # raises for what is no schedule
        one_of("network", NETWORKS, self.network)
        one_of("init", INITS, self.init)
        one_of("loss", LOSSES, self.loss)
        check = one_of("optimizer", OPTIMIZERS, self.optimizer).check
        if check:
            check(self)

    def check(self, N):
        """Raise SettingError if these settings do not suit a training set of N images."""
        if self.batch_size > N:
            raise SettingError(
                f"batch size {self.batch_size} is larger than the training set of {N} images"
            )
        updates = self.epochs * self.updates_per_epoch(N)
        if self.warmup != "none" and (self.warmup_updates or 0) > updates:
            raise SettingError(
                f"a warmup of {self.warmup_updates} updates is longer than the run of {updates} at "
                f"batch size {self.batch_size}: give fewer --warmup-updates or more --epochs"
            )
        self.updates_after(self.epochs, N)  # raises for a decay by which no batch can grow

    def updates_per_epoch(self, N):
        """How many batches N images make, at the batch size that the run begins with; the last one
        holds whatever is left.
        """
        return -(-N // self.batch_size)

    def batch_size_at(self, epoch, N):
        """The batch size of an epoch, counted from 1."""
        warm = self.warmup_length(self.updates_per_epoch(N))
        return batch_size_at(self.batch_schedule, epoch, self.epochs, self.batch_size, N, warm)

    def updates_after(self, epoch, N):
        """How many updates have been made at the end of an epoch; 0 after epoch 0."""
        if not self.batch_schedule:
            return epoch * self.updates_per_epoch(N)
        return sum(-(-N // self.batch_size_at(i, N)) for i in range(1, epoch + 1))

    @property
    def scaled_lr(self):
        """The rate that the rule gives this batch size, before any warmup or decay."""
        return float(scaled_lr(self.rule, self.lr, self.batch_size, self.base_batch_size))

    def scaled_adam(self):
        """(β1, β2, ε) that the rule gives Adam at this batch size; β1 is the momentum."""
        given = self.momentum, self.beta2, self.epsilon
        return scaled_adam(self.rule, *given, self.batch_size, self.base_batch_size)

    def warmup_length(self, per_epoch):
        """How many updates the warmup lasts, given the number of updates per epoch."""
        if self.warmup == "none":
            return 0
        return self.warmup_updates or self.warmup_epochs * per_epoch

    def rate(self, t, per_epoch):
        """The learning rate of update t, counted from 0, given the number of updates per epoch."""
        i, k, warm = int(t // per_epoch) + 1, self.warmup_epochs, self.warmup_length(per_epoch)
        if self.warmup_updates and warm:
            i, k = t + 1, warm
        lr = warmup_lr(self.warmup, i, self.lr, self.scaled_lr, k)
        # A function of a file given by --with may return a number of NumPy, which is no JSON.
        return float(lr * decay_factor(self.decay, t - warm, self.epochs * per_epoch - warm))

    def rate_in(self, epoch, k, N):
        """The learning rate of update k of an epoch, counted from 0.

        Where the batch grows, warmups and decays count the updates that there would be if it did
        not: t of `rate` goes up by as much in every epoch, in fractions where an epoch has fewer
        updates, and t/T is the fraction of the run, (epoch - 1 + k/updates of the epoch)/epochs.
        """
        per_epoch, updates = self.updates_per_epoch(N), -(-N // self.batch_size_at(epoch, N))
        within = k if updates == per_epoch else k * per_epoch / updates
        return self.rate((epoch - 1) * per_epoch + within, per_epoch)

    # ---- what distinguishes this run from others

    def what_matters(self):
        """{field: value}, without the fields that other fields make irrelevant."""
        return what_matters(asdict(self))

    def differing(self):
        """{field: value} of what matters and differs from the report's baseline."""
        return {k: v for k, v in self.what_matters().items() if v != DEFAULTS[k]}

    def key(self):
        """What results are kept under: equal for two runs if and only if they are the same run."""
        return tuple(self.differing().items())

    def common(self):
        """What all runs of a sweep share: what matters except batch size and seed."""
        shared = self.what_matters()
        return {k: v for k, v in shared.items() if k not in ("batch_size", "seed")}


# Settings that only the optimizers use that name them.
OF_SOME = {"beta2", "epsilon", "weight_decay", "trust", "adam_factor"}
DEFAULTS = {field.name: field.default for field in fields(Settings)}
KINDS = {  # the type of each field: "int", also for `int | None`
    f.name: f.type.__name__ if isinstance(f.type, type) else str(f.type).split(" ")[0]
    for f in fields(Settings)
}


def what_matters(values):
    """{field: value} of settings as a file holds them: what an older file lacks takes its
    default, and what other fields make irrelevant is left out. No table of entries is consulted.
    """
    values = DEFAULTS | values
    idle = set()
    if values["warmup"] == "none":
        idle |= {"warmup_epochs", "warmup_updates"}
    if values["warmup_updates"]:
        idle |= {"warmup_epochs"}
    if values["rule"] == "none":
        idle |= {"base_batch_size"}
    if values["optimizer"] in ("sgd", "momentum"):  # the momentum decides which
        idle |= {"optimizer"}
    if values["optimizer"] in OPTIMIZERS and not values["own"]:  # a user's may read any
        idle |= OF_SOME - set(OPTIMIZERS[values["optimizer"]].uses)
    return {name: value for name, value in values.items() if name not in idle}


# ---- how settings are written

# In the names of folders; {} is the value. A field that is not here is written as its name and
# value, so that a new one cannot be forgotten.
IN_NAMES = {
    "lr": "lr{}", "rule": "{}", "base_batch_size": "base{}", "warmup": "{}", "momentum": "m{}",
    "optimizer": "{}", "decay": "{}-decay", "network": "{}", "init": "{}-init", "plain": "plain",
    "own": "own{}", "batch_schedule": "{}-batch", "loss": "{}-loss",
}  # fmt: skip


def written(value):
    """A value as it appears in a name: 0.1, 1e-05 or sqrt. Different numbers look different."""
    if not isinstance(value, float):
        return str(value)
    short = f"{value:g}"
    return short if float(short) == value else repr(value)


def in_names(field, value):
    """A setting as a part of a folder's name."""
    return IN_NAMES.get(field, field.replace("_", "") + "{}").format(written(value))


def _number(value):
    return f"{value:.4g}"


# How a title or a legend words each setting, in the order of a label. Empty words are left out.
# Here, too, a field that is missing is given by its name and value.
IN_WORDS = {
    "batch_size": lambda value: f"b = {value}",
    "rule": lambda value: "no scaling" if value == "none" else f"{value} scaling",
    "base_batch_size": lambda value: f"b0 = {value}",
    "warmup": lambda value: "no warmup" if value == "none" else f"{value} warmup",
    "warmup_epochs": lambda value: f"over {value} epochs",
    "warmup_updates": lambda value: f"over {value} updates" if value else "",
    "optimizer": str,
    "lr": lambda value: "no η0" if value is None else f"η0 = {_number(value)}",
    "momentum": lambda value: "no m" if value is None else f"m = {_number(value)}",
    "decay": lambda value: "no decay" if value == "none" else f"{value} decay",
    "batch_schedule": lambda value: f"batch grows ({value})" if value else "fixed batch",
    "epochs": lambda value: f"{value} epochs",
    "network": str,
    "init": lambda value: f"{value} initialization",
    "loss": lambda value: f"{value} loss",
    "plain": lambda value: "plain layers" if value else "fused layers",
    "own": lambda value: f"own file {value}" if value else "no own file",
}


def in_words(field, value):
    """A setting as a title or a legend words it."""
    if field in IN_WORDS:
        return IN_WORDS[field](value)
    name = field.replace("_", " ")
    if value is None:
        return f"no {name}"
    return f"{name} = {_number(value) if isinstance(value, float) else value}"
