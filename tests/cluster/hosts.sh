#!/usr/bin/env bash
# Two hosts on one machine: network namespaces that a veth pair joins, each with a host name of its own; as root.
#   tests/cluster/hosts.sh up                   make mmav0 (10.77.0.1) and mmav1 (10.77.0.2)
#   tests/cluster/hosts.sh run 0|1 COMMAND...   run a command on one of them
#   tests/cluster/hosts.sh cut | join           pull the cable between them | put it back
#   tests/cluster/hosts.sh down                 end what runs on them, and remove them
set -euo pipefail

HERE=$(cd "$(dirname "$0")" && pwd)

up() {
    local number
    for number in 0 1; do
        ip netns add "mmav$number"
        # `ip netns exec` shows this file as /etc/hosts. As on Debian a host's own name is a loopback address.
        mkdir -p "/etc/netns/mmav$number"
        printf '127.0.0.1 localhost\n127.0.1.1 mmav%d\n10.77.0.%d mmav%d\n' \
            "$number" $((2 - number)) $((1 - number)) > "/etc/netns/mmav$number/hosts"
    done
    ip link add mmav-veth0 netns mmav0 type veth peer name mmav-veth1 netns mmav1
    for number in 0 1; do
        ip -n "mmav$number" address add "10.77.0.$((number + 1))/24" dev "mmav-veth$number"
        ip -n "mmav$number" link set "mmav-veth$number" up
        ip -n "mmav$number" link set lo up
    done
}

down() {
    local number
    for number in 0 1; do
        if [ -e "/run/netns/mmav$number" ]; then
            ip netns pids "mmav$number" | xargs -r kill -9
            ip netns delete "mmav$number"
        fi
        rm -rf "/etc/netns/mmav$number"
    done
}

on_host() {
    local number=$1
    # a host name of its own, then the command in the place of this script
    # shellcheck disable=SC2016
    exec ip netns exec "mmav$number" unshare --uts \
        bash -c 'hostname "$0"; exec "$@"' "mmav$number" "${@:2}"
}

[ "$(id -u)" = 0 ] || { echo "$0: needs root" >&2; exit 1; }
case "${1:-}" in
    up | down) "$1" ;;
    run) on_host "${@:2}" ;;
    cut) ip -n mmav1 link set mmav-veth1 down ;;
    join) ip -n mmav1 link set mmav-veth1 up ;;
    *) sed -n '2,6s/^# //p' "$HERE/hosts.sh" >&2; exit 1 ;;
esac
