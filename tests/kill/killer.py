"""A job that is killed at random moments, goes on, and is compared with an undisturbed run."""

import os
import random
import shutil
import signal
import sys
import threading
import time
from pathlib import Path

from kill_jobs import JOBS, position, snapshot

from mmav.utils.processes import multiprocessing_context

TIMEOUT = 240  # seconds of a job


def work(job: str, inputs: Path, out: Path, kill: tuple[int, float, bool] | None) -> None:
    """Do a job in this process, counting how often it touches its folder.

    Args:
        job: Name of the job.
        inputs: Folder of its inputs.
        out: Folder that it writes.
        kill: At which touch it is killed, how many seconds later, and whether with its processes.
    """
    os.setpgid(0, 0)
    log = os.open(inputs / 'log.txt', os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(log, 1)
    os.dup2(log, 2)
    own, touches = os.getpid(), 0

    def die() -> None:
        os.killpg(own, signal.SIGKILL) if kill[2] else os.kill(own, signal.SIGKILL)

    def watch(event: str, values: tuple) -> None:
        nonlocal touches
        if event[:3] not in ('ope', 'os.', 'shu') or os.getpid() != own:
            return
        if any(isinstance(value, (str, os.PathLike)) and str(value).startswith(str(out)) for value in values):
            touches += 1
            if kill is not None and touches == kill[0]:
                threading.Timer(kill[1], die).start() if kill[1] else die()

    sys.addaudithook(watch)
    JOBS[job](inputs, out)
    (inputs / 'touches.txt').write_text(str(touches))


class Killer:
    """Kills one job.

    Args:
        job: Its name.
        folder: Folder for its inputs and outputs.
    """

    def __init__(self, job: str, folder: Path) -> None:
        self.job, self.folder, self.inputs = job, folder / job, folder / job / 'inputs'
        self.inputs.mkdir(parents=True)
        self._run(self.folder / 'first')  # makes the inputs
        start = time.monotonic()
        whole = self.folder / 'whole'
        self._run(whole)
        self.seconds = time.monotonic() - start
        self.touches = int((self.inputs / 'touches.txt').read_text())
        self.expected = snapshot(job, whole)

    def _run(self, out: Path, kill=None, seconds: float | None = None, group: bool = False) -> bool:
        """Run the job; returns whether it was killed. RuntimeError if it failed by itself."""
        context = multiprocessing_context(['killer'])
        process = context.Process(target=work, args=(self.job, self.inputs, out, kill))
        process.start()
        process.join(TIMEOUT if seconds is None else seconds)
        if process.is_alive():
            if seconds is None:
                process.kill()
                raise RuntimeError(f'did not end within {TIMEOUT} s')
            try:
                os.killpg(process.pid, signal.SIGKILL) if group else process.kill()
            except ProcessLookupError:  # before it has a group of its own
                process.kill()
            process.join()
        if process.exitcode not in (0, -signal.SIGKILL):
            raise RuntimeError(f'ended with exit code {process.exitcode}: see {self.inputs / "log.txt"}')
        return process.exitcode != 0

    def kill_and_finish(self, seed: int) -> int:
        """Kill the job one to three times, finish it and compare; returns how often it was killed.

        Raises:
            RuntimeError: The job failed, lost something or gave something else.
        """
        generator = random.Random(f'{self.job} {seed}')
        out, kills, reached = self.folder / f'killed_{seed}', 0, 0
        for _ in range(generator.choice((1, 1, 2, 3))):
            group = generator.random() < 0.5
            if generator.random() < 0.75:
                later = generator.choice((0.0, 0.0, 0.001, 0.005, 0.02))
                killed = self._run(out, (generator.randint(1, self.touches), later, group))
            else:
                killed = self._run(out, None, generator.uniform(0, self.seconds), group)
            kills += killed
            now = position(self.job, out)
            if now < reached:
                raise RuntimeError(f'a checkpoint was lost: at iteration {now}, was at {reached}')
            reached = now
            if not killed:
                break
        self._run(out)
        found = snapshot(self.job, out)
        if found != self.expected:
            names = sorted(
                str(name)
                for name in found.keys() | self.expected.keys()
                if found.get(name) != self.expected.get(name)
            )
            raise RuntimeError(f'not what the undisturbed run gave: {names}')
        shutil.rmtree(out)
        return kills
