#!/usr/bin/env bash
# Build the image that test hosts boot from, once: Debian 12 with systemd, sshd, and a user "ops"
# who may use sudo.
#
# usage: image.sh FOLDER
#
# FOLDER then holds image/, the user's ssh key, and known_hosts for ADDRESSES. The image keeps the
# packages that tests install, since the hosts have no internet. Where hosts cannot be booted, the
# script prints "not run: REASON" and exits with 77.
set -euo pipefail

ADDRESSES='192.0.2.*' # reserved for documentation (RFC 5737)
KEPT_PACKAGES=(redis-server redis-sentinel valkey-server valkey-sentinel)
KEPT_TOOLS=(rpm dnf createrepo-c needrestart) # without what they recommend
MIRROR=http://deb.debian.org/debian
SECURITY=http://deb.debian.org/debian-security

not_run() {
    echo "not run: $1"
    exit 77
}

check() {
    [[ $(id -u) == 0 ]] || not_run "hosts are booted with systemd-nspawn, which only root may"
    "$(dirname "$0")/lab.sh" check 2>/dev/null || not_run "no right to make namespaces and control groups (version 2) here"
}

missing() {
    local tool
    for tool in debootstrap systemd-nspawn ip ssh; do command -v "$tool" >/dev/null || echo "$tool"; done
}

install_tools() {
    [[ $(missing) ]] || return 0
    if command -v apt-get >/dev/null; then
        apt-get update -qq && apt-get install -qq -y --no-install-recommends debootstrap systemd-container iproute2 openssh-client
    fi >"$folder/tools.log" 2>&1 || true
    [[ -z $(missing) ]] || not_run "missing and not to be had with apt-get: $(missing | paste -sd ' ')"
}

bootstrap() {
    local packages=systemd,systemd-sysv,dbus,openssh-server,sudo,iproute2,procps,ca-certificates,python3,python3-apt,python3-redis
    packages+=,build-essential,libsystemd-dev,libssl-dev # for a host that builds
    debootstrap --variant=minbase --include="$packages" bookworm "$image" "$MIRROR" >"$folder/debootstrap.log" 2>&1 ||
        not_run "debootstrap failed: $(tail -n 1 "$folder/debootstrap.log")"
}

configure() {
    local suite
    for suite in bookworm bookworm-updates bookworm-backports; do echo "deb $MIRROR $suite main"; done >"$image/etc/apt/sources.list"
    echo "deb $SECURITY bookworm-security main" >>"$image/etc/apt/sources.list"
    echo 'ops ALL=(ALL) NOPASSWD: ALL' >"$image/etc/sudoers.d/ops"
    chroot "$image" useradd --create-home --shell /bin/bash ops
    install -d -m 700 "$image/home/ops/.ssh"
    install -m 600 "$folder/key.pub" "$image/home/ops/.ssh/authorized_keys"
    chroot "$image" chown -R ops:ops /home/ops/.ssh
    rm -f "$image/etc/hostname" # the name of the building machine
    : >"$image/etc/machine-id"
    chroot "$image" systemctl --quiet enable systemd-networkd.service
    chroot "$image" systemctl --quiet mask apt-daily.timer apt-daily-upgrade.timer console-getty.service systemd-networkd-wait-online.service
    echo "$ADDRESSES $(cut -d ' ' -f 1,2 "$image/etc/ssh/ssh_host_ed25519_key.pub")" >"$folder/known_hosts"
}

keep_packages() {
    local package
    chroot "$image" apt-get clean # leftovers of debootstrap
    chroot "$image" apt-get update -qq
    for package in "${KEPT_PACKAGES[@]}"; do
        chroot "$image" apt-get install -qq -y --download-only "$package"
    done
    chroot "$image" apt-get install -qq -y --no-install-recommends --download-only "${KEPT_TOOLS[@]}"
} >"$folder/packages.log" 2>&1

mkdir -p "$1"
folder=$(cd "$1" && pwd)
image=$folder/image
stamp=$(sha256sum <"$0")
[[ -e $folder/stamp && $(<"$folder/stamp") == "$stamp" ]] && built=true || built=false
check
install_tools
if ! $built; then
    rm -rf --one-file-system "$image" "$folder/key" "$folder/key.pub" "$folder/stamp"
    ssh-keygen -q -t ed25519 -N '' -C tests -f "$folder/key"
    bootstrap
    configure
    keep_packages
    echo "$stamp" >"$folder/stamp"
    echo "built"
fi
