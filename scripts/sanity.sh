#!/usr/bin/env bash
# ansible-test sanity. Without a container it runs all but pslint, which has nothing to do: there is no PowerShell here.
# compile and import run on each Python from 3.8 on that is installed; ansible-test names those it has to leave out.
set -euo pipefail
cd "$(dirname "$0")/.."
checkout=$PWD

# A copy, because ansible-test wants the real path to end in ansible_collections/NAMESPACE/NAME; a repository of its
# own, because in this one .cache is ignored, and ansible-test would find no files.
copy=$checkout/.cache/sanity/ansible_collections/sentinelops/redis
rm -rf "$copy"
mkdir -p "$copy"
git ls-files -z --cached --others --exclude-standard |
    while IFS= read -r -d '' file; do [[ ! -e $file ]] || printf '%s\0' "$file"; done |
    tar --create --null --files-from=- | tar --extract --directory="$copy"
git init --quiet "$copy"

# pyenv's stand-ins fail for versions that are not selected: put the interpreters themselves in their place. They are found
# beside the stand-ins, since pyenv itself looks for them under HOME, which may be another one here.
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

# ansible-test keeps its environments under HOME. It would fetch the pip for them from ansible.com: the one that comes
# with Python does as well, and PyPI stays the only host to be reached. The file's name follows ansible-core's version.
export HOME=$checkout/.cache/home PATH=$checkout/.venv/bin:$PATH
mkdir -p "$HOME/.ansible/test/cache"
echo 'import ensurepip; ensurepip.bootstrap()' >"$HOME/.ansible/test/cache/get_pip_24_2.py"

cd "$copy"
ansible-test sanity --color no "$@"
