#!/bin/sh
# Installs what `make` needs, on a machine with Python 3.11 or newer. A second run only checks, and is quick.
# With a command of `python -m local` as argument it runs that one instead of `setup`.
set -eu
cd "$(dirname "$0")/../.."

# Ignore the Python and uv of an activated .venv: .venv must not depend on itself.
outside=
IFS=:
for folder in $PATH; do
    [ "$folder" -ef .venv/bin ] || outside=$outside:$folder
done
unset IFS
PATH=${outside#:}

say() { printf '%s\n' "$*"; }
stop() { say "$*" >&2; exit 1; }

# The distribution's Python comes first: it is built with profile-guided optimization; a self-compiled one mostly is
# not and uses 40 % more CPU. `find_python pip`: a Python that can import pip.
find_python() {
    for name in "${PYTHON3:-}" /usr/bin/python3 python3 python3.14 python3.13 python3.12 python3.11 python; do
        [ -n "$name" ] && "$name" -c "import sys, ${1:-sys}; sys.exit(sys.version_info < (3, 11))" 2>/dev/null \
            && { echo "$name"; return; }
    done
    return 0
}

find_uv() {
    [ -L .venv/bin/uv ] && [ -x .venv/bin/uv ] && { readlink .venv/bin/uv; return; }
    command -v uv 2>/dev/null && return
    with_uv=$(find_python uv)
    [ -n "$with_uv" ] && "$with_uv" -c 'import uv; print(uv.find_uv_bin())' 2>/dev/null || true
}

python=$(find_python)
uv=$(find_uv)
if [ -z "$uv" ]; then
    [ -n "$python" ] || stop "Spreader needs Python 3.11 or newer, which is not on the PATH: install it (Debian: apt-get install python3 python3-pip)."
    say "installing uv ..."
    with_pip=$(find_python pip)
    [ -n "$with_pip" ] || stop "Spreader needs pip to install uv: install it (Debian: apt-get install python3-pip)."
    "$with_pip" -m pip install --quiet --user uv 2>/dev/null \
        || "$with_pip" -m pip install --quiet uv 2>/dev/null \
        || "$with_pip" -m pip install --quiet --user --break-system-packages uv \
        || stop "uv cannot be installed by pip: install it as https://docs.astral.sh/uv says, and try again."
    uv=$(find_uv)
    [ -n "$uv" ] || stop "uv was installed but is not found: put ~/.local/bin on the PATH and try again."
fi

if [ ! -d .venv ]; then
    say "installing Python packages ..."
    "$uv" sync --all-packages --locked ${python:+--python "$python"}
else
    "$uv" sync --all-packages --locked --quiet
fi
# The project's Python finds uv beside it, also when uv is not on the PATH.
[ "$uv" -ef .venv/bin/uv ] || ln -sf "$uv" .venv/bin/uv
# The console is tested in a browser, and connections to Postgres with a server that has TLS. Without these programs the
# tests that need them are skipped, except on CI.
install_for_tests() {
    { [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; } || stop "CI has no $1: install it on this machine."
    say "installing $1 ..."
    { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$1"; } \
        >/dev/null 2>&1 || stop "$1 cannot be installed: apt-get install $1 says why."
}
if [ "${1:-setup}" = setup ] && [ "${CI:-}" = true ]; then
    command -v chromium >/dev/null 2>&1 || install_for_tests chromium
    { command -v postgres || ls /usr/lib/postgresql/*/bin/postgres; } >/dev/null 2>&1 || install_for_tests postgresql
fi
exec .venv/bin/python -m local "${1:-setup}"
