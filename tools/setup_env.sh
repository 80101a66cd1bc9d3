#!/usr/bin/env bash
# Makes the virtual environment that `make demo`, `make test` and `make bench` run in.
# A finished environment is left alone until its requirements change; a failed step
# stops with its cause, and the next run carries on from there.
#
#   PYTHON           interpreter, 3.10 to 3.12         (default: VENV's, else the first one found)
#   VENV             folder of the environment         (default: .venv)
#   OPENMMLAB        onedl, or upstream for MMEngine, MMCV and MMDetection by their first authors (default: onedl)
#   MMCV             compile: compile mmcv's operators (default: none; torchvision's are used, see mmav/compat)
#   TORCH            what to install as torch          (default: constraints.txt's pair)
#   EXTRA_PIP_ARGS   added to every pip install        (default: none)
#   MMAV_CACHE       where compiled mmcv wheels are kept (default: ~/.cache/mmav)
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

VENV=${VENV:-.venv}
OPENMMLAB=${OPENMMLAB:-onedl}
MMCV=${MMCV:-}
TORCH=${TORCH:-"$(grep -E '^(torch|torchvision)==' constraints.txt | tr '\n' ' ')"}
EXTRA_PIP_ARGS=${EXTRA_PIP_ARGS:-}
MMAV_CACHE=${MMAV_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/mmav}

say() { printf '\033[1m[set-up %4ds]\033[0m %s\n' "$SECONDS" "$*"; }
die() { printf '[set-up] FAILED: %s\n' "$*" >&2; exit 1; }

case "$OPENMMLAB" in
    onedl) extra=onedl mmcv=onedl-mmcv pure_mmcv=onedl-mmcv ;;
    upstream) extra=openmmlab mmcv=mmcv pure_mmcv=mmcv-lite ;;
    *) die "OPENMMLAB=$OPENMMLAB is not known: onedl or upstream" ;;
esac
case "$MMCV" in '' | compile) ;; *) die "MMCV=$MMCV is not known: compile, or nothing" ;; esac

find_python() {
    local candidate made=
    # an environment that is there is carried on with its own interpreter
    [ ! -x "$VENV/bin/pip" ] || made="$VENV/bin/python"
    for candidate in ${PYTHON:-$made python3 python3.12 python3.11 python3.10}; do
        if "$candidate" -c 'import sys; sys.exit(not (3, 10) <= sys.version_info[:2] <= (3, 12))' 2>/dev/null; then
            echo "$candidate"; return
        fi
    done
    die "no Python 3.10, 3.11 or 3.12 found; name one with PYTHON=/path/to/python3.11"
}

python=$(find_python)
if [ -x "$VENV/bin/pip" ] && [ "$("$VENV/bin/python" -V)" != "$("$python" -V)" ]; then
    die "$VENV has $("$VENV/bin/python" -V), PYTHON is $("$python" -V): remove $VENV, or name another with VENV="
fi
stamp="$VENV/.mmav-stamp"
wanted=$( { cat requirements.txt requirements-dev.txt constraints.txt setup.py mmav/compat/packages.py tools/setup_env.sh
            echo "$OPENMMLAB|$MMCV|$TORCH|$EXTRA_PIP_ARGS|$("$python" -V)|$PWD"; } | sha256sum | cut -d' ' -f1)
if [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$wanted" ] && [ -x "$VENV/bin/python" ]; then
    exit 0
fi
rm -f "$stamp"

# Two set-ups of one environment at a time would break each other.
mkdir -p "$VENV"
if command -v flock >/dev/null; then
    exec 9>"$VENV/.mmav-lock"
    flock -n 9 || die "another set-up of $VENV is running; wait for it to end"
fi

# Torch with its CUDA libraries and all other packages take 6.3 GB.
free=$(df -Pk "$VENV" | awk 'NR == 2 {print int($4 / 1048576)}')
if [ ! -x "$VENV/bin/pip" ] && [ "$free" -lt 8 ]; then
    die "$VENV needs 8 GB, its disk has $free GB left: make room, or name a folder on another disk with VENV="
fi

say "1/5 virtual environment in $VENV ($("$python" -V))"
if [ ! -x "$VENV/bin/pip" ]; then
    "$python" -m venv "$VENV" || die "could not make $VENV; on Debian and Ubuntu: apt install python3-venv"
fi
py="$VENV/bin/python"
pip_install() {
    # shellcheck disable=SC2086
    "$py" -m pip install --disable-pip-version-check --progress-bar off -q "$@" $EXTRA_PIP_ARGS \
        || die "pip install $* (its message is above); run the same command again to carry on"
}
# The constraints name a torch of their own, which TORCH may override.
constraints="$VENV/.mmav-constraints.txt"
grep -vE '^(torch|torchvision)==' constraints.txt > "$constraints"
pip_install --upgrade -c "$constraints" pip setuptools wheel

say "2/5 $TORCH(several GB with its CUDA libraries: about a minute on a fast line)"
# shellcheck disable=SC2086
pip_install $TORCH
"$py" -c 'import torchvision' 2>/dev/null || pip_install torchvision "torch==$("$py" -c '
from importlib.metadata import version
print(version("torch"))')"
"$py" - >> "$constraints" <<'PY'
from importlib.metadata import version
for name in ('torch', 'torchvision'):
    print(f'{name}=={version(name)}')
PY

# The requirements of the chosen family, one a line; then the names of the other family's distributions.
family_requirements() {
    "$py" - "$extra" <<'PY'
import runpy, sys
for package in runpy.run_path('mmav/compat/packages.py')['PACKAGES'].values():
    print(package.requirements[sys.argv[1]])
PY
}
foreign_distributions() {
    "$py" - "$extra" "$1" <<'PY'
import runpy, sys
from importlib import metadata
family, mmcv = sys.argv[1:]
for name, package in runpy.run_path('mmav/compat/packages.py')['PACKAGES'].items():
    for distribution in package.distributions:
        mine = distribution.startswith('onedl-') == (family == 'onedl')
        if (not mine or (name == 'mmcv' and distribution != mmcv)) and any(metadata.distributions(name=distribution)):
            print(distribution)
PY
}

if [ "$MMCV" = compile ]; then
    pip_install -c "$constraints" ninja psutil
    pinned=$(grep -E "^$mmcv==" constraints.txt)
    torch_version=$("$py" -c 'import torch, sys; print(f"torch{torch.__version__}-py{sys.version_info[0]}{sys.version_info[1]}")')
    wheels="$MMAV_CACHE/${pinned//==/-}-$torch_version"
    if ! compgen -G "$wheels/*.whl" >/dev/null; then
        command -v "${CXX:-c++}" >/dev/null || die "no C++ compiler; on Debian and Ubuntu: apt install g++"
        jobs=${MAX_JOBS:-$(getconf _NPROCESSORS_ONLN)}
        say "3/5 compiling $pinned for $torch_version in $jobs jobs: 12 minutes on 2 fast cores, once for this torch"
        log="$VENV/mmcv-build.log"
        say "    log: $log"
        rm -rf "$wheels.part"
        # pip's own wheel cache does not know which torch a wheel was built for.
        # shellcheck disable=SC2086
        PATH="$PWD/$VENV/bin:${VENV}/bin:$PATH" MMCV_WITH_OPS=1 MAX_JOBS=$jobs "$py" -m pip wheel -v \
            --no-build-isolation --no-deps --no-cache-dir --no-binary "$mmcv" -w "$wheels.part" "$pinned" \
            $EXTRA_PIP_ARGS > "$log" 2>&1 \
            || { tail -n 40 "$log" >&2; die "building $pinned (the end of $log is above)"; }
        mkdir -p "$MMAV_CACHE" && rm -rf "$wheels" && mv "$wheels.part" "$wheels"
    else
        say "3/5 $pinned for $torch_version is compiled already"
    fi
    source_of_mmcv="$wheels"
else
    mmcv=$pure_mmcv
    pinned=$(grep -E "^$mmcv==" constraints.txt)
    say "3/5 $pinned without compiling: torchvision's operators take their place (MMCV=compile compiles them)"
    source_of_mmcv=$pinned
fi
mapfile -t foreign < <(foreign_distributions "$mmcv")
if [ ${#foreign[@]} -gt 0 ]; then
    say "    taking out ${foreign[*]}, whose files $OPENMMLAB's packages would overwrite"
    "$py" -m pip uninstall -y -q "${foreign[@]}"
fi
if [ "$(cat "$VENV/.mmav-mmcv" 2>/dev/null)" != "$source_of_mmcv" ]; then
    if [ "$MMCV" = compile ]; then
        pip_install --no-deps --force-reinstall "$source_of_mmcv"/*.whl
    else
        # pip's cache may hold a wheel that was compiled for another torch
        MMCV_WITH_OPS=0 pip_install --no-deps --force-reinstall --no-cache-dir "$pinned"
    fi
    echo "$source_of_mmcv" > "$VENV/.mmav-mmcv"
fi

say "4/5 the other requirements"
mapfile -t requirements < <(family_requirements | grep -vE '^(onedl-)?mmcv')
pip_install -c "$constraints" -r requirements-dev.txt "$pinned" "${requirements[@]}"
if ! "$py" -c 'import cv2' 2>/dev/null; then
    say "    no OpenGL library for opencv-python: putting its headless build of the same version over it"
    pip_install --no-deps --force-reinstall \
        "opencv-python-headless==$("$py" -c 'from importlib.metadata import version; print(version("opencv-python"))')"
fi

say "5/5 mmav itself, editable"
pip_install --no-deps --no-build-isolation -e .
"$py" -c 'import mmav' || die "the environment is made, but mmav cannot be imported (see above)"
echo "$wanted" > "$stamp"
say "done: $VENV"
