#!/usr/bin/env bash
# Run ansible-test sanity, without a container. pslint is left out: the collection has no PowerShell.
# The tests compile and import run on each installed Python from 3.8 on; ansible-test names the others.
set -euo pipefail
cd "$(dirname "$0")/.."
checkout=$PWD

# A copy, because ansible-test wants a real path that ends in ansible_collections/NAMESPACE/NAME, in
# a separate repository, because this repository ignores .cache and ansible-test would see no files.
copy=$checkout/.cache/sanity/ansible_collections/sentinelops/redis
rm -rf "$copy"
mkdir -p "$copy"
git ls-files -z --cached --others --exclude-standard |
    while IFS= read -r -d '' file; do [[ ! -e $file ]] || printf '%s\0' "$file"; done |
    tar --create --null --files-from=- | tar --extract --directory="$copy"
git init --quiet "$copy"

# pyenv's shims fail for versions that are not selected, so the interpreters themselves replace the
# shims on PATH. They are found beside the shims, since pyenv looks under HOME, which may differ.
found=
IFS=: read -ra folders <<<"$PATH"
for folder in "${folders[@]}"; do
    if [[ $folder == */shims && -d ${folder%/shims}/versions ]]; then
        for bin in "${folder%/shims}"/versions/*/bin; do found+=${found:+:}$bin; done
    else
        found+=${found:+:}$folder
    fi
done
PATH=$found

# ansible-test keeps its environments under HOME, and would fetch their pip from ansible.com. The pip
# that comes with Python works as well, and only PyPI is needed. The name of the file depends on the
# version of ansible-core.
export HOME=$checkout/.cache/home PATH=$checkout/.venv/bin:$PATH
mkdir -p "$HOME/.ansible/test/cache"
echo 'import ensurepip; ensurepip.bootstrap()' >"$HOME/.ansible/test/cache/get_pip_24_2.py"

cd "$copy"
ansible-test sanity --color no "$@"
