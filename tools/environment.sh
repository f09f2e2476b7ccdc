#!/bin/sh
# Find a Python that can run Cellvow and let it prepare .venv: environment.sh run|test
# PYTHON names one; without it the first suitable of the usual names is taken.
set -eu
is_suitable() {
    "$1" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null
}
if [ -n "${PYTHON:-}" ]; then
    if ! is_suitable "$PYTHON"; then
        echo "cellvow: PYTHON=$PYTHON is not a Python 3.11, 3.12 or 3.13. Name one that is, or leave PYTHON out." >&2
        exit 1
    fi
    exec "$PYTHON" tools/environment.py --exactly "$1"
fi
for candidate in .venv/bin/python python3 python3.13 python3.12 python3.11; do
    if is_suitable "$candidate"; then
        # The environment cannot rebuild itself, so its own Python is asked only to name the one it was made from.
        if [ "$candidate" = .venv/bin/python ]; then
            candidate=$("$candidate" -c 'import sys; print(sys._base_executable)')
            is_suitable "$candidate" || continue
        fi
        exec "$candidate" tools/environment.py "$1"
    fi
done
echo "cellvow: no Python 3.11, 3.12 or 3.13 found. Debian, Ubuntu: sudo apt install python3 python3-venv;" >&2
echo "macOS: brew install python@3.13; or name yours: make PYTHON=/path/to/python3" >&2
exit 1
