# Every target sets up its own environment first (see tools/setup_env.sh, which also
# explains VENV, PYTHON, OPENMMLAB, MMCV, TORCH, EXTRA_PIP_ARGS); nothing is done twice.
SHELL := /bin/bash
VENV ?= .venv
export VENV
# Idle OpenMP threads that spin take the cores from those that work.
export OMP_WAIT_POLICY ?= passive
PYTHON_IN_VENV = $(VENV)/bin/python
# The documentation is built without mmav and PyTorch, in an environment of its own.
DOCS_VENV ?= .venv-docs

.PHONY: help env demo demo-distill demo-localize demo-events demo-parse demo-live test test-kill test-browser test-sound-card test-stacks test-cluster fuzz bench lint docs
help:                     ## list the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*##/\t/'

env:                      ## make the virtual environment and install everything
	@tools/setup_env.sh

demo: env                 ## simulate drives, let camera images supervise audio, write work_dirs/demo/report.html
	$(PYTHON_IN_VENV) tools/demos/demo_avd.py $(DEMO_ARGS)

demo-distill: env         ## the same with three teachers and the MTA loss: work_dirs/demo_distill/report.html
	$(PYTHON_IN_VENV) tools/demos/demo_distill.py $(DEMO_ARGS)

demo-localize: env        ## find the pixels that sound in simulated clips: work_dirs/demo_localize/report.html
	$(PYTHON_IN_VENV) tools/demos/demo_localize.py $(DEMO_ARGS)

demo-events: env          ## find events in simulated videos, in time: work_dirs/demo_events/report.html
	$(PYTHON_IN_VENV) tools/demos/demo_events.py $(DEMO_ARGS)

demo-parse: env           ## parse simulated videos into events heard and seen: work_dirs/demo_parse/report.html
	$(PYTHON_IN_VENV) tools/demos/demo_parse.py $(DEMO_ARGS)

demo-live: env            ## detect in a simulated drive while it runs: a page at http://127.0.0.1:8000
	$(PYTHON_IN_VENV) tools/demos/demo_live.py $(DEMO_ARGS)

test: env                 ## run the tests
	$(PYTHON_IN_VENV) -m pytest $(PYTEST_ARGS)

test-kill: env            ## kill trainings, stores and simulators at random moments, and compare what they resume to
	$(PYTHON_IN_VENV) tests/kill/kill_and_resume.py $(KILL_ARGS)

test-browser: env         ## click through the live page in headless Chromium, which must be installed
	@command -v "$${CHROMIUM:-chromium}" >/dev/null || command -v chromium-browser >/dev/null \
		|| command -v google-chrome >/dev/null || { echo "make test-browser needs Chromium:" \
		"apt-get install chromium, or name the program: make test-browser CHROMIUM=/path/to/chrome" >&2; exit 1; }
	$(PYTHON_IN_VENV) -m pytest -m browser tests/test_live $(PYTEST_ARGS)

test-sound-card: env      ## record from a sound card that PulseAudio, which must be installed, stands for
	@$(PYTHON_IN_VENV) -c "import sounddevice" 2>/dev/null && command -v pulseaudio >/dev/null && command -v pacat >/dev/null \
		|| { echo "make test-sound-card needs PulseAudio and PortAudio:" \
		"apt-get install pulseaudio libasound2-plugins libportaudio2" >&2; exit 1; }
	$(PYTHON_IN_VENV) -m pytest -m sound_card tests/test_live $(PYTEST_ARGS)

test-stacks:              ## run the tests marked `stack` with other Pythons and upstream's OpenMMLab
	@tools/test_stacks.sh

test-cluster: env         ## train on Slurm and on two hosts, made on this machine; root, and apt-get, are needed
	@[ "$$(id -u)" = 0 ] || { echo "make test-cluster needs root: it installs Slurm, starts its daemons and makes" \
		"network namespaces" >&2; exit 1; }
	$(PYTHON_IN_VENV) -m pytest -n 0 -s -v -m cluster tests/cluster $(PYTEST_ARGS)

fuzz: env                 ## read 100,000 mutated files; FUZZ_ARGS="--inputs 20000 --seed 1" chooses others
	$(PYTHON_IN_VENV) tests/fuzz/fuzz.py --inputs 100000 $(FUZZ_ARGS)

bench: env                ## measure the speed ratios of docs/benchmarks.md
	$(PYTHON_IN_VENV) benchmarks/bench.py $(BENCH_ARGS)

lint: env                 ## check style and types
	$(VENV)/bin/ruff check . && $(VENV)/bin/ruff format --check . && $(VENV)/bin/mypy

docs: $(DOCS_VENV)/.stamp  ## build the documentation: docs/_build/index.html; warnings and broken links are errors
	$(DOCS_VENV)/bin/sphinx-build -W --keep-going -q -j auto -d docs/_build/.doctrees docs docs/_build
	@echo "docs/_build/index.html"

$(DOCS_VENV)/.stamp: requirements-docs.txt constraints.txt
	$(or $(PYTHON),python3) -m venv $(DOCS_VENV)
	$(DOCS_VENV)/bin/pip install --disable-pip-version-check -q -c constraints.txt -r requirements-docs.txt $(EXTRA_PIP_ARGS)
	@touch $@
