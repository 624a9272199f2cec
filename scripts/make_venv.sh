#!/bin/sh
# Make the environment .venv with a Python of 3.11 or newer; the first that works is taken.
# Set PYTHON to choose another.
set -eu
venv=${1:?usage: make_venv.sh FOLDER}

usable() {
    "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1
}

python=
for candidate in ${PYTHON:-} python3 python3.14 python3.13 python3.12 python3.11 python; do
    if usable "$candidate"; then
        python=$candidate
        break
    fi
done
if [ -z "$python" ]; then
    echo "No Python 3.11 or newer found. Install one, or name it: make lab PYTHON=/path/to/python3" >&2
    exit 1
fi

echo "Environment: $("$python" --version) in $venv"
rm -rf "$venv"
# Half an environment would be taken for a whole one by the next run.
trap '[ $? = 0 ] || rm -rf "$venv"' EXIT
trap 'exit 1' INT TERM
if "$python" -c 'import venv, ensurepip' >/dev/null 2>&1; then
    "$python" -m venv "$venv"
elif "$python" -m virtualenv --version >/dev/null 2>&1; then
    "$python" -m virtualenv --quiet "$venv"
elif "$python" -m pip --version >/dev/null 2>&1; then
    # Some distributions leave ensurepip out; a pip from outside fills the environment.
    "$python" -m venv --without-pip "$venv"
    "$python" -m pip --python "$venv/bin/python" install --quiet pip
elif [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    apt-get -q update && DEBIAN_FRONTEND=noninteractive apt-get -q -y install python3-venv
    "$python" -m venv "$venv"
else
    echo "This Python cannot make environments. Install its venv package (Debian: python3-venv)." >&2
    exit 1
fi
