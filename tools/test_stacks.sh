#!/usr/bin/env bash
# Runs the tests marked `stack` with other Pythons and with the other OpenMMLab, each in an environment
# of its own (.venv-<family>-<python>), and says what was tried and what was not.
#
#   STACKS         FAMILY:PYTHON pairs; FAMILY is onedl or upstream, PYTHON 3.10, 3.11 or 3.12
#                  (default: all six but that of .venv)
#   PYTEST_ARGS    what to run instead of `-m stack`
#   others         see tools/setup_env.sh
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# An interpreter of that version: on the PATH, or one of pyenv's or uv's.
find_interpreter() {
    local candidate
    for candidate in "python$1" "${PYENV_ROOT:-$HOME/.pyenv}"/versions/"$1".*/bin/"python$1" \
        "$HOME"/.local/share/uv/python/cpython-"$1".*/bin/"python$1"; do
        if "$candidate" -c "import sys, venv; sys.exit('%d.%d' % sys.version_info[:2] != '$1')" 2>/dev/null; then
            command -v "$candidate"; return
        fi
    done
    return 1
}

default_stacks() {
    local own family python
    own="onedl:$(.venv/bin/python -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null)"
    for family in onedl upstream; do
        for python in 3.10 3.11 3.12; do
            [ "$family:$python" = "$own" ] || echo "$family:$python"
        done
    done
}

failed=0 passed=0 report=()
for stack in ${STACKS:-$(default_stacks)}; do
    family=${stack%%:*} version=${stack##*:}
    if ! interpreter=$(find_interpreter "$version"); then
        report+=("not tried  $stack: no Python $version on this machine"); continue
    fi
    printf '\n=== %s (%s)\n' "$stack" "$interpreter"
    environment=.venv-$family-$version
    SECONDS=0
    if ! OPENMMLAB=$family PYTHON=$interpreter VENV=$environment tools/setup_env.sh; then
        report+=("FAILED     $stack: its environment could not be made"); failed=$((failed + 1)); continue
    fi
    set_up=$SECONDS SECONDS=0
    # shellcheck disable=SC2086
    if "$environment/bin/python" -m pytest ${PYTEST_ARGS:--m stack}; then
        report+=("passed     $stack: set-up $set_up s, tests $SECONDS s"); passed=$((passed + 1))
    else
        report+=("FAILED     $stack: its messages are above"); failed=$((failed + 1))
    fi
done
printf '\n=== stacks\n'
printf '%s\n' "${report[@]}"
# nothing tried is no proof
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
