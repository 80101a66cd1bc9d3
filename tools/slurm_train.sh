#!/usr/bin/env bash
# Train on a Slurm cluster:
#   tools/slurm_train.sh PARTITION JOB_NAME CONFIG WORK_DIR [arguments of tools/train.py]
#   GPUS             number of processes                                             (default: 8)
#   GPUS_PER_NODE    GPUs, and processes, of a node; 0: no GPU, the CPUs are shared  (default: 8)
#   CPUS_PER_TASK    CPUs of a process                                               (default: 5)
#   SRUN_ARGS        more arguments of srun, such as --time=8:00:00                  (default: none)
#   MASTER_ADDR      where the processes meet                                        (default: first node)
#   MASTER_PORT      a port there                                                    (default: by job number)
#   PYTHON           interpreter                                                     (default: python)
# It waits until the job ends. In a job of sbatch it starts a step, and the job can be requeued: docs/cluster.md.
set -euo pipefail

USAGE="usage: $0 PARTITION JOB_NAME CONFIG WORK_DIR [arguments of tools/train.py]"
PARTITION=${1:?$USAGE}
JOB_NAME=${2:?$USAGE}
CONFIG=${3:?$USAGE}
WORK_DIR=${4:?$USAGE}
GPUS=${GPUS:-8}
GPUS_PER_NODE=${GPUS_PER_NODE:-8}
HERE=$(cd "$(dirname "$0")" && pwd)

RESOURCES=(--ntasks="$GPUS" --cpus-per-task="${CPUS_PER_TASK:-5}")
if [ "$GPUS_PER_NODE" -gt 0 ]; then
    RESOURCES+=(--gres="gpu:$GPUS_PER_NODE" --ntasks-per-node="$GPUS_PER_NODE")
fi

# shellcheck disable=SC2086  (SRUN_ARGS holds several arguments)
PYTHONPATH="$HERE/..:${PYTHONPATH:-}" exec srun -p "$PARTITION" --job-name="$JOB_NAME" \
    "${RESOURCES[@]}" --kill-on-bad-exit=1 ${SRUN_ARGS:-} \
    "${PYTHON:-python}" -u "$HERE/train.py" "$CONFIG" --work-dir="$WORK_DIR" --launcher=slurm "${@:5}"
