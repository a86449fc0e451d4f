#!/usr/bin/env bash
# Make the virtual environment: the tested versions, this package (editable), and an OpenCV
# that runs on a server without a display.
#
#   bash tools/install.sh                             # into .venv, with python3
#   PYTHON=python3.12 VENV=~/env bash tools/install.sh
#   EXTRAS=mm,demo bash tools/install.sh              # default: mm,seg,demo,test
#   CONSTRAINTS=/dev/null bash tools/install.sh       # the newest releases instead
#   source tools/install.sh                           # and activate it
#
# A complete environment is not touched, an incomplete one is completed. An environment
# that this script did not make is used as it is or refused, but never changed.

VENV=${VENV:-$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)/.venv}
case $VENV in /*) ;; *) VENV=$PWD/$VENV ;; esac

if [ "${BASH_SOURCE[0]}" != "$0" ]; then # sourced: this shell keeps its options
    VENV=$VENV PYTHON=${PYTHON:-} EXTRAS=${EXTRAS:-} bash "${BASH_SOURCE[0]}" || return 1
    # shellcheck disable=SC1091 # made just now
    source "$VENV/bin/activate"
    return 0
fi

set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
given=${PYTHON:-}
PYTHON=${PYTHON:-python3}
EXTRAS=${EXTRAS:-mm,seg,demo,test}
constraints=${CONSTRAINTS:-$root/tools/constraints.txt}
python=$VENV/bin/python
marker=$VENV/.made_by_bootmae_plugin # 'unfinished', or a hash of what was installed
log=$root/work_dirs/install.log

say() { echo "install: $*"; }
fail() {
    echo "error: $*" >&2
    exit 1
}

run_pip() { # WHAT ARGS...
    local what=$1
    shift
    say "$what"
    # -I ignores PYTHONPATH and the user's own packages.
    if ! "$python" -I -m pip --disable-pip-version-check "$@" >>"$log" 2>&1; then
        tail -n 20 "$log" >&2
        fail "$what: pip failed, see above or $log; fix the cause and run this again"
    fi
}

check_python() {
    command -v "$PYTHON" >/dev/null ||
        fail "PYTHON=$PYTHON was not found: give a Python >= 3.10, as in PYTHON=/usr/bin/python3.11"
    "$PYTHON" -c 'import sys; sys.exit(sys.version_info < (3, 10))' 2>/dev/null ||
        fail "$PYTHON is $("$PYTHON" --version 2>&1 | head -n 1), expected Python >= 3.10: give another, as in PYTHON=python3.11"
    "$PYTHON" -c 'import venv, ensurepip' 2>/dev/null ||
        fail "$PYTHON cannot make virtual environments: install python3-venv with the system's package manager, or give another PYTHON"
}
minor() { "$1" -c 'import sys; print("%d.%d" % sys.version_info[:2])'; }

modules() {
    local names='torch torchvision numpy timm safetensors rich matplotlib PIL tensorboard'
    case ,$EXTRAS, in *,mm,* | *,seg,* | *,all,*) names+=' cv2 mmengine mmcv mmpretrain' ;; esac
    case ,$EXTRAS, in *,seg,* | *,all,*) names+=' mmseg' ;; esac
    case ,$EXTRAS, in *,demo,* | *,test,* | *,all,*) names+=' sklearn' ;; esac
    case ,$EXTRAS, in *,test,* | *,all,*) names+=' pytest xdist hypothesis ruff build' ;; esac
    echo "$names"
}
# Print what cannot be imported, and why; nothing if all can. 'quick' imports only torch
# (the largest) and cv2 (which other packages overwrite), and looks for the rest.
missing() { # [quick]
    # shellcheck disable=SC2046 # one word a module
    "$python" -I - "${1:-thorough}" $(modules) 2>/dev/null <<'PY' || echo "$python does not run"
import contextlib, importlib, importlib.util, io, sys

how, *names = sys.argv[1:]
bad = []
with contextlib.redirect_stdout(io.StringIO()):
    for name in names:
        try:
            if importlib.util.find_spec(name) is None:
                raise ModuleNotFoundError('not installed')
            if how == 'thorough' or name in ('torch', 'cv2'):
                importlib.import_module(name)
        except BaseException as error:
            line = (str(error).splitlines() or [''])[0]
            bad.append(f'{name} ({type(error).__name__}: {line})')
more = f' and {len(bad) - 3} more' if len(bad) > 3 else ''
print('cannot import ' + ', '.join(bad[:3]) + more if bad else '')
PY
}

# A hash: an environment is out of date if one of these has changed.
stamp() {
    {
        echo "$root $EXTRAS $("$python" -V)"
        cat "$root/setup.cfg" "$constraints" "$root/tools/install.sh"
    } | cksum
}
up_to_date() { [ "$(cat "$marker")" = "$(stamp)" ] && [ -z "$(missing quick)" ]; }

create() {
    check_python
    say "$VENV with $("$PYTHON" -V)"
    rm -rf "$VENV"
    mkdir -p "$VENV"
    echo unfinished >"$marker" # first, so that an interrupted environment is known as ours
    "$PYTHON" -m venv "$VENV" >>"$log" 2>&1 ||
        fail "$PYTHON -m venv $VENV: $(tail -n 1 "$log")"
}

headless_opencv() {
    local full
    full=$("$python" -I -c 'from importlib.metadata import distributions as d; print(*{x.version for x in d() if x.metadata["Name"] == "opencv-python"})')
    [ -n "$full" ] || return 0
    # Both packages own the folder cv2. Removing one breaks the other, so remove both first.
    run_pip "removing opencv-python $full, which needs libGL" \
        uninstall -y opencv-python opencv-python-headless
    run_pip "opencv-python-headless $full" \
        install --no-deps "opencv-python-headless==$full"
}

install_all() {
    echo unfinished >"$marker"
    # Together, because a torchvision fits one torch only.
    run_pip 'torch and torchvision (minutes)' \
        install -c "$constraints" torch torchvision
    cd "$root"
    run_pip "bootmae_plugin[$EXTRAS]" install -c "$constraints" -e ".[$EXTRAS]"
    headless_opencv
}

mkdir -p "$(dirname "$log")"
if command -v flock >/dev/null; then # two scripts started at once take turns
    exec 9>"$log.lock"
    flock 9
fi
: >"$log"

if [ -e "$VENV" ] && ! { [ -d "$VENV" ] && [ -z "$(ls -A "$VENV")" ]; }; then
    differs=''
    if [ -n "$given" ] && [ -x "$python" ]; then
        check_python
        if [ "$(minor "$PYTHON")" != "$(minor "$python")" ]; then
            differs="its Python is $(minor "$python"), PYTHON=$given is $(minor "$PYTHON")"
        fi
    fi
    if [ ! -e "$marker" ]; then
        [ -n "$differs" ] || differs=$(missing)
        [ -z "$differs" ] ||
            fail "$VENV was not made by this script and is left as it is, but it cannot be used: $differs; choose another VENV=..., or repair or remove it"
        say "$VENV is used as it is"
        exit 0
    fi
    if [ -n "$differs" ]; then
        say "making $VENV again: $differs"
        create
    elif ! "$python" -I -m pip --version >/dev/null 2>&1; then
        say "making $VENV again: it has no working pip"
        create
    elif up_to_date; then
        say "$VENV is complete"
        exit 0
    else
        say "$VENV is incomplete or out of date: completing it"
    fi
else
    create
fi

install_all
lacks=$(missing)
if [ -n "$lacks" ]; then
    say "making $VENV again: $lacks"
    create
    install_all
    lacks=$(missing)
    [ -z "$lacks" ] || fail "everything is installed in $VENV, but $lacks; the log is $log"
fi
stamp >"$marker"
say "done: source $VENV/bin/activate"
