#!/usr/bin/env bash
# Ask ansible-builder what an image with this collection gets: redis-py must be among it.
#
# The collection is built and installed first, as a file that is not shipped would not be found.
# Nothing is built as an image, so no container engine is needed.
set -euo pipefail
cd "$(dirname "$0")/.."

builder=.cache/venv-execution-environment/bin/ansible-builder
work=.cache/execution-environment
rm -rf "$work"
mkdir -p "$work"

scripts/run env ANSIBLE_COLLECTIONS_PATH="$work/collections" \
    ansible-galaxy collection install --offline --no-deps --collections-path "$work/collections" .cache/build/sentinelops-redis-*.tar.gz
"$builder" introspect --write-pip "$work/python.txt" "$work/collections"
cat "$work/python.txt"
grep --quiet '^redis>=4\.3' "$work/python.txt" || { echo "redis-py is not among the requirements that ansible-builder finds"; exit 1; }

"$builder" create --file awx/execution-environment.yml --context "$work/context"
grep --quiet 'sentinelops\.redis' "$work/context/_build/requirements.yml" || { echo "the image of awx/execution-environment.yml lacks the collection"; exit 1; }
echo "execution environment: the collection brings redis-py, and awx/execution-environment.yml brings the collection"
