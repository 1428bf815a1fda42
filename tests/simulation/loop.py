"""An event loop in which nothing takes time but waiting, and which tells if all wait for ever."""

from __future__ import annotations

import asyncio
import selectors
from random import Random

JOB_SECONDS = (0.0, 0.0, 0.001, 0.03)


class _Patience(selectors.DefaultSelector):
    """Moves the loop's clock on instead of waiting."""

    now_s = 0.0

    def select(self, timeout=None):
        if timeout is None:
            raise AssertionError("everybody waits and nothing will ever happen")
        self.now_s += max(0.0, timeout)
        return super().select(0)


class SimulatedLoop(asyncio.SelectorEventLoop):
    """Runs what belongs into threads itself, a seeded moment later."""

    def __init__(self, random: Random) -> None:
        self._patience = _Patience()
        super().__init__(self._patience)
        self._random = random
        self._is_off = False
        self.set_exception_handler(lambda loop, context: None)

    def time(self) -> float:
        return self._patience.now_s

    def run_in_executor(self, executor, func, *args):
        done = self.create_future()

        def work() -> None:
            if self._is_off or done.done():
                done.cancel()
                return
            try:
                done.set_result(func(*args))
            except Exception as error:  # noqa: BLE001 - as an executor does
                done.set_exception(error)

        self.call_later(self._random.choice(JOB_SECONDS), work)
        return done

    def run(self, play):
        """Run `play` to its end, or to a power cut, and let nothing of it go on."""
        try:
            return self.run_until_complete(play)
        finally:
            self._is_off = True
            tasks = asyncio.all_tasks(self)
            for task in tasks:
                task.cancel()
            if tasks:
                self.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
            self.close()
