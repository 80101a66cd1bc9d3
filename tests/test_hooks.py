"""What pre-commit runs is what CI runs."""

from pathlib import Path

import yaml

ROOT = Path(__file__).parents[1]


def test_the_hooks_are_the_first_commands_of_ci():
    repos = yaml.safe_load((ROOT / '.pre-commit-config.yaml').read_text())['repos']
    entries = [hook['entry'] for repo in repos for hook in repo['hooks']]
    commands = [line for line in (ROOT / '.ci/run').read_text().splitlines() if line.startswith('make ')]
    assert entries and entries == commands[: len(entries)]
