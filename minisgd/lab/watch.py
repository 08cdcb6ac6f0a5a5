"""Waiting for other machines: what no future tells while it is awaited."""

import asyncio
import time
from concurrent.futures import FIRST_COMPLETED, wait

from ..errors import UserError

SILENCE = 60  # seconds after which a silent scheduler is given up
QUIET = 60  # seconds after which a silent worker is told
EVERY = 2.0  # seconds from one look at the scheduler and its workers to the next


def ended(futures, watch):
    """Those of the futures that are done, at least one of them."""
    while True:
        done = wait(futures, timeout=EVERY, return_when=FIRST_COMPLETED).done
        watch()
        if done:
            return done


class Watch:
    """An eye on a scheduler of distributed and its workers, of whom no future tells while it is
    awaited: is one of them gone, stopped, or cut off?

    log    is told what has changed
    """

    def __init__(self, client, scheduler, log):
        self.client, self.scheduler, self.log = client, scheduler, log
        self.answer, self.asked, self.next = None, None, 0.0  # of the scheduler; asked, since when
        self.seen = {}  # {address: (the scheduler's time of its last word, ours of seeing that)}
        self.silent = set()

    def __call__(self):
        """Look who is there, without waiting for the answer.

        Raises:  UserError if the scheduler is gone, or has been silent for too long
        """
        if self.client.status == "connecting":
            self.log(f"The connection to the scheduler at {self.scheduler} is lost: trying again.")
        while self.client.status == "connecting":  # until the client gives up, after PATIENCE
            time.sleep(0.1)
        if self.client.status != "running":
            raise self._given_up("is gone")
        now = time.monotonic()
        if self.answer and self.answer.done():
            if not self.answer.cancelled() and self.answer.exception() is None:
                self._compare(self.answer.result(), now)
                self.asked = None
            self.answer = None
        if self.asked and now - self.asked > SILENCE:
            raise self._given_up(f"has not answered for {SILENCE:g} s")
        if self.answer is None and now >= self.next:
            self.answer, self.next = self._later(self._workers()), now + EVERY
            self.asked = self.asked or now

    def during(self, call, *given, **more):
        """What a method of the client returns; the watch goes on meanwhile."""
        for _ in range(3):  # the client may try it on connections that are lost
            future = self._later(call(*given, **more, asynchronous=True))
            ended([future], self)
            if not isinstance(future.exception(), OSError):
                break
        return future.result()

    def _later(self, coroutine):
        return asyncio.run_coroutine_threadsafe(coroutine, self.client.loop.asyncio_loop)

    async def _workers(self):
        return (await self.client.scheduler.identity())["workers"]

    def _given_up(self, what):
        if self.answer:
            self.answer.cancel()
        return UserError(
            f"the scheduler at {self.scheduler} {what}: when it is there again, and workers with "
            "it, the same command goes on from the runs that are kept"
        )

    def _compare(self, workers, now):
        if now - self.asked > 3 * EVERY:  # while the scheduler was silent, nobody was heard
            self.seen = {address: (word, now) for address, (word, _) in self.seen.items()}
        for address in self.seen.keys() - workers.keys():
            del self.seen[address]
            self.silent.discard(address)
            runs = "start elsewhere" if workers else "wait until there is another"
            self.log(
                f"The worker at {address} is gone (killed, perhaps because memory ran out, or cut "
                f"off): its runs {runs}."
            )
        for address, worker in workers.items():
            word = worker["last_seen"]
            if word != self.seen.get(address, (None, now))[0]:
                self.seen[address] = word, now
                if address in self.silent:
                    self.silent.remove(address)
                    self.log(f"The worker at {address} is back.")
            elif now - self.seen[address][1] > QUIET and address not in self.silent:
                self.silent.add(address)
                name = "" if worker["name"] == address else f" {worker['name']}"
                self.log(
                    f"The worker{name} at {address} has said nothing for {QUIET:g} s: it may be "
                    "stopped or cut off. Its runs wait for it, until the scheduler gives it up."
                )
