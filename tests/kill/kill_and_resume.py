"""Kill jobs at random moments, let them go on, and compare with undisturbed runs.

    make test-kill KILL_ARGS="--kills 200 --seed 0"

A moment is the n-th time that the job touches its folder, then or some milliseconds later, or a time on the
clock; the process alone is killed, or the processes that it started, too. After one kill to three the job
runs to its end: its files (of trainings: weights, optimizer, losses) must equal those of an undisturbed
run, none more or less. A checkpoint that was there is never lost, and each can be read at any time.
"""

import argparse
import multiprocessing
import os
import shutil
import sys
import tempfile
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path

HERE = Path(__file__).parent
PATHS = [HERE, *(HERE.parent / name for name in ('', 'test_engine', 'test_tools')), HERE.parents[1]]


def job_names() -> list[str]:
    """Names of all jobs; in a process that has imported them."""
    from kill_jobs import JOBS

    return list(JOBS)


def kill_job(job: str, kills: int, seed: int, folder: Path) -> tuple[str, int, list[str]]:
    """Kill a job so many times; returns its name, how often it was killed, and the failures."""
    from killer import Killer

    try:
        killer = Killer(job, folder)
    except Exception as error:
        return job, 0, [f'{job}, undisturbed: {error}']
    count, failures = 0, []
    for number in range(seed, seed + 4 * kills):
        try:
            count += killer.kill_and_finish(number)
        except Exception as error:
            failures.append(f'{job}, seed {number}: {type(error).__name__}: {error}')
        if count >= kills or len(failures) > 3:
            break
    return job, count, failures


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('--kills', type=int, default=200, help='of all jobs together')
    parser.add_argument('--seed', type=int, default=0)
    parser.add_argument('--parallel', type=int, default=2, help='jobs at a time')
    parser.add_argument('--jobs', nargs='+', help='these alone')
    parser.add_argument('--keep', type=Path, help='folder that stays, to look at failures')
    args = parser.parse_args()
    # all processes are forks of one that has imported the jobs, and does not inherit sys.path
    os.environ['PYTHONPATH'] = os.pathsep.join(map(str, PATHS))
    os.environ['OMP_NUM_THREADS'] = '1'
    context = multiprocessing.get_context('forkserver')
    context.set_forkserver_preload(['killer'])
    folder = args.keep or Path(tempfile.mkdtemp(prefix='mmav_kills_'))
    total, failures = 0, []
    with ProcessPoolExecutor(args.parallel, context) as pool:
        jobs = args.jobs or pool.submit(job_names).result()
        share = -(-args.kills // len(jobs))
        for done in as_completed([pool.submit(kill_job, job, share, args.seed, folder) for job in jobs]):
            job, count, failed = done.result()
            total += count
            failures += failed
            print(f'{job:26} {count:4} kills, {len(failed)} failures', flush=True)
    print(f'{"all":26} {total:4} kills, {len(failures)} failures')
    print('\n'.join(failures))
    if args.keep is None:
        shutil.rmtree(folder)
    sys.exit(bool(failures))


if __name__ == '__main__':
    main()
