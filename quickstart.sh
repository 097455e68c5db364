#!/usr/bin/env bash
# Scaling Lab in one command: makes a virtual environment beside this file, installs, checks, and starts the app.
# `./quickstart.sh test` runs every check of the project instead. Keeps to bash 3.2, which is what macOS has.
set -euo pipefail

HERE=${BASH_SOURCE[0]%/*}
[ "$HERE" != "${BASH_SOURCE[0]}" ] || HERE=.
ROOT=$(CDPATH='' cd -- "$HERE" && pwd -P)
VENV=$ROOT/.venv
VENV_PYTHON=$VENV/bin/python
STAMP=$VENV/scaling-lab.stamp
UNFINISHED=$VENV/scaling-lab.unfinished
CHECKED=$VENV/scaling-lab.checked
TYPES=$VENV/scaling-lab.mypy
NEEDED_MB=3000
FIRST_PORT=8501
unset PYTHONHOME PYTHONPATH

say() { printf '%s\n' "$*"; }
stop() {
    printf 'quickstart: %s\n' "$*" >&2
    exit 1
}

usage() {
    cat <<'TEXT'
Usage: ./quickstart.sh         install what is missing and start the app on this machine
       ./quickstart.sh test    install the test tools too and run every check
       ./quickstart.sh help    show this text

PYTHON=/path/to/python chooses the interpreter that the virtual environment is made from (3.11 or later).
CHROME=/path/to/chrome chooses the browser that the browser tests drive.
TEXT
}

# --- Python -----------------------------------------------------------------------------------------------------------

is_suitable() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; }
makes_venvs() { "$1" -c 'import ensurepip, venv' >/dev/null 2>&1; }

find_python() { # sets BASE_PYTHON
    local candidate without_venv=
    if [ -n "${PYTHON:-}" ]; then
        is_suitable "$PYTHON" || stop "PYTHON=$PYTHON is not a working Python 3.11 or later; name another one."
        makes_venvs "$PYTHON" || stop "$PYTHON has no venv module; install it (Debian, Ubuntu: apt install python3-venv)."
        BASE_PYTHON=$PYTHON
        return
    fi
    for candidate in python3.14 python3.13 python3.12 python3.11 python3 python; do
        is_suitable "$candidate" || continue
        if makes_venvs "$candidate"; then
            BASE_PYTHON=$candidate
            return
        fi
        without_venv=${without_venv:-$candidate}
    done
    [ -z "$without_venv" ] || stop \
        "$without_venv has no venv module; install it (Debian, Ubuntu: apt install python3-venv) and run this again."
    stop "no Python 3.11 or later was found; install one (macOS: brew install python, or python.org) and run this again."
}

# --- Virtual environment ----------------------------------------------------------------------------------------------
# The stamp is written last and holds what was installed, by which Python, and where. A start that finds its own stamp
# installs nothing and needs no network. The mark of an unfinished installation stands from before pip's start to after
# its end, so that one that was killed half-way is not mistaken for a whole one.

fingerprint() { # of the requirement files named, as the environment's own Python sees itself and its place
    "$VENV_PYTHON" - "$VENV" "$@" <<'TEXT'
import hashlib, pathlib, sys
digest = hashlib.sha256()
for name in sys.argv[2:]:
    digest.update(pathlib.Path(name).read_bytes() + b"\0")
print(digest.hexdigest(), sys.version.split()[0], sys.argv[1])
TEXT
}

stamped() { # $1: place, app or test. Prints what the stamp says of it.
    [ ! -f "$STAMP" ] || sed -n "s/^$1 //p" "$STAMP"
}

venv_fault() { # prints why the environment cannot be used as it stands, or nothing
    if [ -f "$UNFINISHED" ]; then
        say "its installation was interrupted"
    elif ! is_suitable "$VENV_PYTHON"; then
        say "its Python does not run, or is older than 3.11"
    elif ! "$VENV_PYTHON" -c 'import pip' >/dev/null 2>&1; then
        say "it has no pip"
    elif [ -f "$STAMP" ] && [ "$(stamped place)" != "$VENV" ]; then
        say "it was made in $(stamped place) and has moved"
    fi
}

check_disk() {
    local free_kb
    free_kb=$(df -Pk "$ROOT" | awk 'NR > 1 { for (i = 2; i <= NF; i++) if ($i ~ /^[0-9]+%$/) { print $(i - 1); exit } }') ||
        return 0
    case $free_kb in
        '' | *[!0-9]*) return 0 ;; # a file system that does not say
    esac
    [ "$((free_kb / 1024))" -ge "$NEEDED_MB" ] || stop \
        "installing needs about $NEEDED_MB MB of disk and $((free_kb / 1024)) MB are free in $ROOT; make room there."
}

install() { # $1: app or test; the rest: requirement files. Fails where pip fails.
    local what=$1 wanted file
    shift
    wanted=$(fingerprint "$@") || return 1
    [ "$(stamped "$what")" != "$wanted" ] || return 0
    check_disk
    for file in "$@"; do
        set -- "$@" -r "$file"
        shift
    done
    say "Installing what is missing; the first time this takes some minutes ..."
    : >"$UNFINISHED"
    if ! "$VENV_PYTHON" -m pip install --disable-pip-version-check --no-input "$@"; then
        rm -f "$UNFINISHED" # pip has undone what it began
        return 1
    fi
    {
        say "place $VENV"
        [ "$what" = app ] || say "app $(fingerprint "$ROOT/requirements.txt")"
        say "$what $wanted"
    } >"$STAMP.new" && mv "$STAMP.new" "$STAMP" && rm -f "$UNFINISHED"
}

make_venv() { # as install; what stood there before comes back when the new one cannot be made
    local kept=$VENV.previous
    find_python
    check_disk
    if [ -f "$UNFINISHED" ]; then
        rm -rf "$VENV" # and what was kept when it was begun stays kept
    elif [ -e "$VENV" ]; then
        rm -rf "$kept"
        mv "$VENV" "$kept"
    fi
    say "Making a virtual environment with $("$BASE_PYTHON" --version) in $VENV ..."
    mkdir -p "$VENV"
    : >"$UNFINISHED"
    if "$BASE_PYTHON" -m venv "$VENV" && install "$@"; then
        rm -rf "$kept"
        return 0
    fi
    rm -rf "$VENV"
    [ ! -e "$kept" ] || mv "$kept" "$VENV"
    return 1
}

works_as_it_is() { # the app's packages load, though the environment could not be made again
    [ "$1" = app ] && [ ! -f "$UNFINISHED" ] &&
        "$VENV_PYTHON" -c 'import altair, psutil, scipy, streamlit, vl_convert' >/dev/null 2>&1 &&
        say "That failed, see above; going on with the environment as it was."
}

prepare() { # $1: app or test; the rest: requirement files
    local fault=
    [ ! -e "$VENV" ] || fault=$(venv_fault)
    if [ -e "$VENV" ] && [ -z "$fault" ]; then
        install "$@" && return
    else
        [ -z "$fault" ] || say "The virtual environment is made again: $fault."
        make_venv "$@" && return
        works_as_it_is "$1" && return
    fi
    stop "installing failed, see above; mostly this means no network: connect, then run this again."
}

# --- What the two commands do -----------------------------------------------------------------------------------------

free_port() { # prints the first port from $FIRST_PORT that nobody listens on
    "$VENV_PYTHON" - "$FIRST_PORT" <<'TEXT'
import socket, sys
first = int(sys.argv[1])
for port in range(first, first + 100):
    with socket.socket() as visitor:
        visitor.settimeout(1)
        if visitor.connect_ex(("127.0.0.1", port)) == 0:
            continue
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(("127.0.0.1", port))
        except OSError:
            continue
    print(port)
    break
TEXT
}

check_machine() { # in full until that has passed once for what is installed; later without the trial of the devices
    say "Checking this machine ..."
    if [ -f "$CHECKED" ] && [ "$(cat "$STAMP")" = "$(cat "$CHECKED")" ]; then
        set -- --quick
    fi
    if "$VENV_PYTHON" -m scaling_core doctor "$@"; then
        [ ! -f "$STAMP" ] || cp "$STAMP" "$CHECKED"
    else
        say "The check above found something to mend; what depends on it will not work until then."
    fi
}

start_app() {
    local port
    prepare app "$ROOT/requirements.txt"
    check_machine
    port=$(free_port)
    [ -n "$port" ] || stop "all ports from $FIRST_PORT to $((FIRST_PORT + 99)) are in use; close what listens there."
    [ "$port" = "$FIRST_PORT" ] || say "Port $FIRST_PORT is in use; taking the next free one, $port."
    say ""
    say "Scaling Lab: http://127.0.0.1:$port   (Ctrl-C stops it; trainings that run go on)"
    say ""
    # Read by glibc alone: else a server of many threads keeps an arena for each, and grows by a fifth in an evening.
    export MALLOC_ARENA_MAX="${MALLOC_ARENA_MAX:-2}"
    exec "$VENV_PYTHON" -m streamlit run "$ROOT/streamlit_app.py" --server.address 127.0.0.1 --server.port "$port"
}

check() { # runs one check, says how it went, and remembers a failure
    say ""
    say "== $1"
    shift
    "$@" || FAILED=1
}

types() { # what mypy, which runs beside pytest, has said in the end
    local status=0
    wait "$MYPY" || status=$?
    MYPY=
    cat "$TYPES"
    return "$status"
}

run_tests() { # two processes share the tests out, tests/conftest.py says how
    prepare test "$ROOT/requirements.txt" "$ROOT/requirements-test.txt"
    FAILED=0
    check "ruff check" "$VENV_PYTHON" -m ruff check .
    check "ruff format" "$VENV_PYTHON" -m ruff format --check .
    "$VENV_PYTHON" -m mypy --strict >"$TYPES" 2>&1 &
    MYPY=$!
    trap '[ -z "$MYPY" ] || kill "$MYPY" 2>/dev/null || true' EXIT
    check "pytest" "$VENV_PYTHON" -m pytest -n 2 --durations=15
    check "mypy --strict" types
    exit "$FAILED"
}

[ "$#" -le 1 ] || {
    usage >&2
    exit 2
}
cd "$ROOT"
[ -f streamlit_app.py ] || stop "streamlit_app.py is not in $ROOT; this file must stay in the project's folder."
case ${1:-} in
    '') start_app ;;
    test) run_tests ;;
    help | -h | --help) usage ;;
    *)
        printf "quickstart: '%s' is not a command; write nothing to start the app, or 'test' to run the checks.\n" "$1" >&2
        exit 2
        ;;
esac
