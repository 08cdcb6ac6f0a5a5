"""The page of a sweep: renewed after every epoch, and as it is when the sweep is over."""

import time

from .console import say

SHARE = 100  # the page is renewed when this many times as long has passed as the last renewal took


def write_page(out, into, collected, going_on=None, pause=0):
    """Write into/index.html, the page of the sweep in OUT; each time the whole file is replaced.

    collected, going_on, pause    as page.sweep.page takes them

    Raises:  UserError if the library that draws is not installed; StorageError
    """
    from minisgd.disk.files import write_aside
    from minisgd.lab import sweep
    from minisgd.page.sweep import page

    from .plot import title_of

    title, note, _ = title_of(out)
    _, known = sweep.load_folder(out)
    path = into / "index.html"
    write_aside(path, page(title, note, collected, known["command"], going_on, pause))
    return path


def page_of(out, into, collected):
    """Write the page of a sweep that is over.  Returns: a line that says where it is, or why not"""
    from minisgd.errors import UserError
    from minisgd.page.library import MISSING, available

    try:
        said = write_page(out, into, collected) if available() else f"none, {MISSING}"
    except (UserError, OSError) as error:
        said = f"none, {error}"
    return f"page:   {said}"


class LivePage:
    """Called with every epoch of a sweep, it renews the page, however many there are, in at most a
    hundredth of the time. A page that cannot be made does not stop the sweep.

    `begin` writes the first one. That may take seconds, because the library that draws is made if
    it is not kept: call it when the runs have been started, which then need not wait.

    epochs_left    {settings: epochs still to come}
    """

    def __init__(self, out, question, digest, epochs_left):
        from minisgd.page.library import available

        self.out, self.question, self.digest = out, question, digest
        self.to_come = self.total = sum(epochs_left.values())
        self.began, self.pause, self.wait_until = time.monotonic(), 0.0, 0.0
        self.can = available() and self.total > 0

    def begin(self):
        """Write the first page, and say where it is."""
        if self.can:
            self._write(0)  # not timed: the next ones find the library
        if self.can:
            say(f"{self.out / 'index.html'} shows how it goes; open it in a browser.")

    def __call__(self, settings, record):
        from minisgd.lab.run_folder import is_last

        ends = is_last(record, settings)
        self.to_come -= 1 + (settings.epochs - record["epoch"] if ends else 0)
        if self.can and time.monotonic() >= self.wait_until:
            self.renew()

    def stopped(self):
        """Say on the page that nothing goes on."""
        if self.can:
            self._write(None)

    def renew(self):
        """Write the page as it is now, and let SHARE times as long pass before the next one."""
        start = time.monotonic()
        done = self.total - self.to_come
        self._write((start - self.began) / done * max(0, self.to_come) if done > 0 else 0)
        end = time.monotonic()
        self.pause = SHARE * (end - start)
        self.wait_until = end + self.pause

    def _write(self, going_on):
        from minisgd.errors import UserError
        from minisgd.lab import sweep

        try:
            collected = sweep.collect(self.out, self.question, self.digest)
            write_page(self.out, self.out, collected, going_on, self.pause)
        except (UserError, OSError) as error:
            self.can = False
            say(f"The page is not renewed any more: {error}")
