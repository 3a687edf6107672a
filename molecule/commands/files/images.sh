#!/usr/bin/env bash
# The administrator's own tool. Versions of the server are images, which a registry has (here: a
# folder); /srv/current is the image that the next start of a server runs.
#
# usage: images.sh fetch VERSION | use VERSION | run NAME [ARGUMENT...]
set -eu

case $1 in
fetch)
    [[ -d /srv/images/$2 ]] && exit 0
    rm -rf /srv/images/.partial
    cp -r "/srv/registry/$2" /srv/images/.partial
    mv -T /srv/images/.partial "/srv/images/$2"
    ;;
use)
    [[ -d /srv/images/$2 ]]
    ln -sfn "images/$2" /srv/current.new
    mv -T /srv/current.new /srv/current
    ;;
run) # in a mount namespace of its own
    image=$(readlink -f /srv/current)
    inside=/mnt/${image##*/}
    mount -t tmpfs none /mnt
    mkdir /mnt/state "$inside"
    mount --bind "/srv/$2" /mnt/state
    mount --bind "$image" "$inside"
    exec setpriv --reuid redis --regid redis --init-groups "$inside/redis-server" "/mnt/state/$2.conf" "${@:3}"
    ;;
esac
