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
# What aws-xray-sdk asks for, but imports only outside Lambda: the shared layer ships without it.
not_shipped=
for name in botocore jmespath python-dateutil six; do
  not_shipped="$not_shipped --no-emit-package $name"
done
for name in layers/shared/requirements requirements requirements-dev requirements-lint requirements-model; do
  case $name in layers/*) left_out=$not_shipped ;; *) left_out= ;; esac
  # shellcheck disable=SC2086 -- several options
  uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
    $left_out --output-file "$name.txt" "$@" "$name.in"
done
