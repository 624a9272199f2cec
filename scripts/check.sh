#!/bin/sh
# Run every static check with the programs in the given folder; report all, fail if one failed.
bin=${1:?usage: check.sh FOLDER-OF-PROGRAMS}
PATH=$PATH:$bin
failed=

run() {
    name=$1
    shift
    echo "== $name"
    "$@" || failed="$failed $name,"
}

run "ruff check" "$bin/ruff" check --quiet
run "ruff format" "$bin/ruff" format --check --quiet
run "mypy" "$bin/mypy"
run "import contract" "$bin/lint-imports" --no-logo
run "front end types" "$bin/python" scripts/frontend.py check

if [ -n "$failed" ]; then
    echo "Failed: ${failed%,}" >&2
    exit 1
fi
