#!/usr/bin/env bash
# A Slurm cluster of this machine alone, without systemd; as root.
#   tests/cluster/slurm.sh install         Debian's slurm-wlm and munge, unless they are there
#   tests/cluster/slurm.sh start FOLDER    start the daemons with a slurm.conf in FOLDER, which must be new
#   tests/cluster/slurm.sh stop FOLDER     stop them
# Programs find the cluster by SLURM_CONF=FOLDER/slurm.conf.
set -euo pipefail

CPUS=2

die() { echo "$0: $*" >&2; exit 1; }

install_packages() {
    if command -v slurmctld slurmd munged srun sbatch ip >/dev/null; then return; fi
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends slurm-wlm munge iproute2
}

# A port that nobody listens on.
free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("", 0)); print(s.getsockname()[1])'; }

write_configuration() {
    local host=$1 folder=$2
    cat > "$folder/slurm.conf" <<CONF
ClusterName=mmav
SlurmctldHost=$host(127.0.0.1)
SlurmctldPort=$(free_port)
SlurmdPort=$(free_port)
SlurmUser=root
# a requeued job starts when the credential of its first start has expired: 120 s by default
AuthType=auth/munge
AuthInfo=socket=$folder/munge.socket,cred_expire=5
StateSaveLocation=$folder/state
SlurmdSpoolDir=$folder/spool
SlurmctldPidFile=$folder/slurmctld.pid
SlurmdPidFile=$folder/slurmd.pid
SlurmctldLogFile=$folder/slurmctld.log
SlurmdLogFile=$folder/slurmd.log
# no cgroups
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SchedulerParameters=sched_interval=5,bf_interval=5
MpiDefault=none
ReturnToService=2
# seconds between SIGTERM and SIGKILL
KillWait=5
NodeName=$host NodeAddr=127.0.0.1 CPUs=$CPUS State=UNKNOWN
PartitionName=cpu Nodes=$host Default=YES MaxTime=INFINITE State=UP
CONF
}

start() {
    local folder host
    host=$(hostname -s)
    mkdir -p "$1" && folder=$(cd "$1" && pwd)
    [ ! -e "$folder/slurm.conf" ] || die "$folder has a cluster already: stop it, or choose another folder"
    mkdir -p "$folder/state" "$folder/spool"
    write_configuration "$host" "$folder"
    head -c 1024 /dev/urandom > "$folder/munge.key" && chmod 600 "$folder/munge.key"
    # --force: it warns of, but takes a folder below /tmp
    munged --force --key-file="$folder/munge.key" --socket="$folder/munge.socket" --seed-file="$folder/munge.seed" \
        --pid-file="$folder/munged.pid" --log-file="$folder/munged.log" 2>> "$folder/munged.log"
    export SLURM_CONF="$folder/slurm.conf"
    slurmctld -f "$SLURM_CONF"
    slurmd -f "$SLURM_CONF"
    for _ in $(seq 60); do
        if [ "$(sinfo --noheader --format=%T 2>/dev/null)" = idle ]; then return; fi
        sleep 0.5
    done
    tail -n 20 "$folder"/*.log >&2
    die "the node is not idle after 30 s: $(sinfo 2>&1)"
}

stop() {
    local folder daemon
    folder=$(cd "$1" && pwd)
    for daemon in slurmd slurmctld munged; do
        if [ -f "$folder/$daemon.pid" ]; then kill "$(cat "$folder/$daemon.pid")" 2>/dev/null || true; fi
    done
}

[ "$(id -u)" = 0 ] || die "needs root: it installs packages and starts daemons"
case "${1:-}" in
    install) install_packages ;;
    start | stop) "$1" "${2:?usage: $0 $1 FOLDER}" ;;
    *) die "usage: $0 install | start FOLDER | stop FOLDER" ;;
esac
