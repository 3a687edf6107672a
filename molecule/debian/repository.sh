#!/usr/bin/env bash
# Make later versions of Debian's packages redis-server, redis-sentinel and redis-tools, once: with
# the maintainer scripts, units and dependencies of the packages in the image of the hosts, and
# servers that are built from the sources of these versions.
#
# usage: repository.sh HOSTS SOURCES FOLDER VERSION...
#
# HOSTS is the folder of image.sh, SOURCES that of sources.py. FOLDER then is a flat repository for
# apt, which hosts use with [trusted=yes].
set -euo pipefail

image=$(realpath "$1/image")
sources=$(realpath "$2")
mkdir -p "$3"
folder=$(cd "$3" && pwd)
shift 3

inside() { # FOLDER COMMAND...: run a command in the image, which is not changed, with a folder at /mnt
    local shared=$1
    shift
    # shellcheck disable=SC2016 # the inner shell expands its arguments
    unshare --mount bash -ec 'mount --bind "$1" "$2/mnt" && shift && exec chroot "$@"' bash "$shared" "$image" "$@"
}

build() { # VERSION: the programs of a version in FOLDER/built
    local target=$folder/built/$1
    [[ ! -e $target/redis-server ]] || return 0
    rm -rf "$folder/build"
    mkdir -p "$folder/build" "$target"
    tar -xzf "$sources/redis_$1.orig.tar.gz" -C "$folder/build" --strip-components=1
    inside "$folder/build" make -C /mnt -j2 MALLOC=jemalloc BUILD_TLS=yes USE_SYSTEMD=yes >"$folder/build-$1.log" 2>&1
    install -s "$folder"/build/src/redis-{cli,benchmark,check-aof,check-rdb} "$target"
    install -s "$folder/build/src/redis-server" "$target" # last: it marks a complete build
    rm -rf "$folder/build"
}

repack() { # PACKAGE VERSION
    local name=redis-$1 version=5:$2-1 tree=$folder/tree
    rm -rf "$tree"
    dpkg-deb --raw-extract "$image"/var/cache/apt/archives/"$name"_*.deb "$tree"
    sed -i -e "s/^Version: .*/Version: $version/" -e "s/redis-tools (= [^)]*)/redis-tools (= $version)/" "$tree/DEBIAN/control"
    for program in "$folder/built/$2"/*; do
        # Debian's server is the file redis-check-rdb, and redis-server is a link to that
        [[ $1 != tools || $program == */redis-server ]] || install "$program" "$tree/usr/bin"
    done
    # a new default: dpkg would ask what to do about a file that was edited
    for file in "$tree"/etc/redis/*.conf; do [[ ! -e $file ]] || echo "# the default of $version" >>"$file"; done
    (cd "$tree" && find . -path ./DEBIAN -prune -o -type f -printf '%P\0' | xargs -0 md5sum >DEBIAN/md5sums)
    dpkg-deb --root-owner-group -Zgzip --build "$tree" "$folder/${name}_$2-1_amd64.deb" >/dev/null
    rm -rf "$tree"
}

stamp=$(cat "$0" "$image/../stamp" <(echo "$@") | sha256sum)
[[ ! -e $folder/stamp || $(<"$folder/stamp") != "$stamp" ]] || exit 0
rm -f "$folder"/*.deb
for version in "$@"; do
    build "$version"
    for package in server sentinel tools; do repack "$package" "$version"; done
done
inside "$folder" sh -c 'cd /mnt && dpkg-scanpackages --multiversion . 2>/dev/null >Packages'
echo "$stamp" >"$folder/stamp"
echo "built"
