#!/usr/bin/env bash
# Make a repository for dnf with packages of Redis and Valkey like those of Fedora (server.spec),
# once: from the servers that the scenario "debian" has built, and from Debian's packages.
#
# usage: repository.sh HOSTS BUILT FOLDER PRODUCT-VERSION...
#
# HOSTS is the folder of image.sh. BUILT/VERSION holds the programs of a version; those of other
# versions are taken from the packages in the image. The tools come from there, too, and are
# installed in a copy of the image in memory.
set -euo pipefail

image=$(realpath "$1/image")
built=$(realpath "$2")
here=$(realpath "$(dirname "$0")")
mkdir -p "$3"
folder=$(cd "$3" && pwd)
shift 3

stamp=$(cat "$0" "$here"/*.spec "$here"/files/* "$image/../stamp" <(echo "$@") | sha256sum)
[[ ! -e $folder/stamp || $(<"$folder/stamp") != "$stamp" ]] || exit 0
rm -rf "$folder"/*.rpm "$folder/repodata"

# shellcheck disable=SC2016 # expanded inside
unshare --mount bash -euc '
    image=$1 built=$2 here=$3 folder=$4
    shift 4
    work=$(mktemp -d)
    mount -t tmpfs none "$work"
    mkdir "$work/upper" "$work/work" "$work/root"
    mount -t overlay -o "lowerdir=$image,upperdir=$work/upper,workdir=$work/work" none "$work/root"
    mkdir "$work/root/built" "$work/root/spec" "$work/root/repository"
    mount --bind "$built" "$work/root/built"
    mount --bind "$here" "$work/root/spec"
    mount --bind "$folder" "$work/root/repository"
    mount -t proc none "$work/root/proc"
    inside() { chroot "$work/root" "$@"; }
    inside apt-get install -qq -y --no-install-recommends --no-download rpm createrepo-c
    inside useradd -r redis
    make() {
        inside rpmbuild -bb --define "_topdir /tmp/rpmbuild" --define "_rpmdir /repository" \
            --define "_build_name_fmt %%{NAME}-%%{VERSION}-%%{RELEASE}.%%{ARCH}.rpm" "$@"
    }
    make /spec/system.spec
    for package in "$@"; do
        product=${package%%-*} version=${package#*-}
        if [[ -d $built/$version ]]; then
            programs=/built/$version
        else
            inside sh -euc "dpkg-deb --extract /var/cache/apt/archives/${product}-tools_*${version}*.deb /$package"
            programs=/$package/usr/bin
            # the server of Debian, which runs as either by its name
            inside mv "$programs/$product-check-rdb" "$programs/$product-server"
        fi
        make --define "product $product" --define "server_version $version" --define "programs $programs" \
            --define "package_files /spec/files" /spec/server.spec
    done
    inside createrepo_c --quiet /repository
' bash "$image" "$built" "$here" "$folder" "$@" >"$folder/build.log" 2>&1
echo "$stamp" >"$folder/stamp"
echo "built"
