#!/usr/bin/env bash
# Boot systemd hosts on a private network, or end them.
#
# usage: lab.sh up LAB IMAGE LOGS HOST=ADDRESS...    boot missing hosts; print the id of a process in their network
#        lab.sh down LAB
#        lab.sh check    fail where hosts cannot be booted
#
# All processes are in the control group LAB, and namespaces, mounts and links exist only while a
# process uses them. After the end of the control group nothing is left, even of a failed "up".
set -euo pipefail

# A private mount namespace, which ends with its processes. Where control groups are not (only)
# version 2, the namespace mounts version 2, without which systemd-nspawn refuses to boot.
if [[ ${1:-} != --inside ]]; then
    exec unshare --mount "$0" --inside "$@"
fi
shift
[[ $(stat --file-system --format %T /sys/fs/cgroup) == cgroup2fs ]] || mount -t cgroup2 none /sys/fs/cgroup
mkdir -p /run/systemd/nspawn
mount -t tmpfs none /run/systemd/nspawn # the records of systemd-nspawn end with the namespace

verb=$1 lab=/sys/fs/cgroup/${2:-}

running() { # GROUP
    grep -qs '^populated 1' "$lab/$1/cgroup.events"
}

start() { # GROUP COMMAND...: in the background, in a control group of its own
    echo "starting $1" >&2
    mkdir -p "$lab/$1"
    (
        echo "$BASHPID" >"$lab/$1/cgroup.procs"
        shift
        exec setsid "$@"
    ) </dev/null >"$logs/$1.log" 2>&1 &
}

wait_until() { # SECONDS COMMAND...
    local deadline=$((SECONDS + $1))
    shift
    until "$@"; do
        ((SECONDS < deadline)) || return 1
        sleep 0.1
    done
}

network_is_up() { # several short-lived processes exist while it is built
    local pids
    running network || return 1
    mapfile -t pids <"$lab/network/cgroup.procs"
    [[ ${#pids[@]} == 1 && $(cat "/proc/${pids[0]}/comm" 2>/dev/null) == sleep ]]
}

start_network() {
    # sleep keeps the namespace; its presence proves that all commands before it succeeded
    start network unshare --net bash -ec '
        ip link set lo up
        ip link add bridge type bridge
        ip address add 192.0.2.1/24 dev bridge
        ip link set bridge up
        exec sleep infinity'
    wait_until 10 network_is_up || fail network
}

start_host() { # HOST ADDRESS
    printf '[Match]\nName=host0\n[Network]\nAddress=%s/24\n' "$2" >"$logs/$1.network"
    # a host keeps its files in memory; its end of the link is host0, the other end is vb-HOST
    start "$1" nsenter --target "$network" --net -- systemd-nspawn --quiet --boot --directory="$image" --volatile=overlay \
        --machine="$1" --register=no --keep-unit --network-bridge=bridge \
        --bind-ro="$logs/hosts:/etc/hosts" --bind-ro="$logs/$1.network:/etc/systemd/network/10-host0.network"
    sleep 0.5
    running "$1" || fail "$1"
}

fail() { # GROUP
    echo "$1 did not start:" >&2
    tail -n 20 "$logs/$1.log" >&2
    exit 1
}

up() {
    local host
    mkdir -p "$lab" "$logs"
    running network || start_network
    network=$(<"$lab/network/cgroup.procs")
    { echo '127.0.0.1 localhost' && printf '%s\n' "$@" | awk -F = '{ print $2, $1 }'; } >"$logs/hosts"
    for host in "$@"; do running "${host%%=*}" || start_host "${host%%=*}" "${host#*=}"; done
    echo "$network"
}

end() { # CONTROL_GROUP: kill all its processes, and wait for their end
    echo 1 >"$1/cgroup.kill"
    wait_until 10 grep -q '^populated 0' "$1/cgroup.events"
}

down() {
    local host
    [[ -d $lab ]] || return 0
    echo "ending all" >&2
    # the processes in the hosts come first: connections are closed, and systemd-nspawn cleans up
    for host in "$lab"/*/payload; do [[ ! -d $host ]] || echo 1 >"$host/cgroup.kill"; done
    wait_until 5 hosts_are_gone || true
    end "$lab"
    find "$lab" -depth -type d -exec rmdir {} +
}

hosts_are_gone() {
    local group
    for group in "$lab"/*/; do
        [[ $group == */network/ ]] || ! grep -qs '^populated 1' "$group/cgroup.events" || return 1
    done
}

case $verb in
up)
    image=$3 logs=$4
    shift 4
    up "$@"
    ;;
down) down ;;
check)
    [[ -w /sys/fs/cgroup/cgroup.procs ]] # read-only in most containers
    unshare --net true
    ;;
esac
