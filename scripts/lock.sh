#!/bin/sh
# Renews each Python lock from its .in file: `npm run lock`.
# Versions already locked stay unless asked for: `npm run lock -- --upgrade`, `-- --upgrade-package NAME`.
# Needs uv (https://docs.astral.sh/uv/) on PATH or in .venv. Universal: one lock for every platform
# and every Python from 3.11 on.
set -eu
cd "$(dirname "$0")/.."
PATH="$PWD/.venv/bin:$PATH"
command -v uv >/dev/null || { echo "lock: uv is missing. Install it: .venv/bin/pip install uv" >&2; exit 1; }
export UV_CUSTOM_COMPILE_COMMAND="npm run lock"
for name in layers/shared/requirements requirements requirements-dev requirements-lint; do
  uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
    --output-file "$name.txt" "$@" "$name.in"
done
