#!/bin/sh
# Write requirements/run.txt and requirements/test.txt: exact versions with the hash of every file, valid for
# Python 3.11 to 3.13 on Linux and macOS, without the address of any index. `--upgrade` takes newer versions.
set -eu
UV=${UV:-uv}
if ! command -v "$UV" >/dev/null; then
    echo "make lock needs uv. Install it with: python3 -m pip install uv   (or name it: make lock UV=/path/to/uv)" >&2
    exit 1
fi
compile() {
    # One version of each package for all Pythons: figures must not depend on which of them is used.
    "$UV" pip compile --quiet --universal --python-version 3.11 --fork-strategy fewest --generate-hashes \
        --no-header --no-emit-index-url --no-emit-find-links "$@"
}
echo "locking requirements/run.txt"
compile "$@" pyproject.toml requirements/run.in --output-file requirements/run.txt
echo "locking requirements/test.txt"
compile "$@" --constraint requirements/run.txt pyproject.toml requirements/run.in requirements/test.in \
    --output-file requirements/test.txt
