"""What a run depends on: the one description of it."""

from dataclasses import dataclass

from .errors import SettingError
from .rules import effective_lr, scaled_lr, warmup_lr


@dataclass(frozen=True)
class Settings:
    """What a run depends on, besides its dataset. The defaults are the report's baseline.

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

    def __post_init__(self):
        effective_lr(self.lr_at(1), self.momentum)  # refuses what the rules refuse
        if self.epochs < 1:
            raise SettingError(f"a run needs at least 1 epoch, got {self.epochs}")
        if self.seed < 0:
            raise SettingError(f"a seed must be at least 0, got {self.seed}")
        if self.warmup != "none" and self.warmup_epochs > self.epochs:
            raise SettingError(
                f"a warmup of {self.warmup_epochs} epochs is longer than the run of {self.epochs}: "
                "give fewer --warmup-epochs or more --epochs"
            )

    def check(self, N):
        """Refuse a batch larger than the training set of N images."""
        if self.batch_size > N:
            raise SettingError(
                f"batch size {self.batch_size} is larger than the training set of {N} images"
            )

    @property
    def scaled_lr(self):
        """The rate that the rule gives this batch size, in force outside the warmup."""
        return scaled_lr(self.rule, self.lr, self.batch_size, self.base_batch_size)

    def lr_at(self, epoch):
        """The rate in force in an epoch, counted from 1."""
        return warmup_lr(self.warmup, epoch, self.lr, self.scaled_lr, self.warmup_epochs)
