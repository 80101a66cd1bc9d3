#!/usr/bin/env bash
# Train on several processes: tools/dist_train.sh CONFIG PROCESSES [arguments of tools/train.py]
#   NNODES           number of machines; run the script on each of them      (default: 1)
#   NODE_RANK        number of this machine, from 0                          (default: 0)
#   MASTER_ADDR      name or address of machine 0, where the processes meet  (default: 127.0.0.1)
#   PORT             a port of machine 0 that the others reach               (default: 29500)
#   TORCHRUN_ARGS    more arguments of torchrun, such as --max-restarts=3    (default: none)
#   PYTHON           interpreter                                             (default: python)
# Without a GPU the processes share the CPU and talk through gloo. docs/cluster.md shows runs.
set -euo pipefail

CONFIG=${1:?usage: $0 CONFIG PROCESSES [arguments of tools/train.py]}
PROCESSES=${2:?usage: $0 CONFIG PROCESSES [arguments of tools/train.py]}
HERE=$(cd "$(dirname "$0")" && pwd)

# shellcheck disable=SC2086  (TORCHRUN_ARGS holds several arguments)
PYTHONPATH="$HERE/..:${PYTHONPATH:-}" exec "${PYTHON:-python}" -m torch.distributed.run \
    --nnodes="${NNODES:-1}" \
    --node_rank="${NODE_RANK:-0}" \
    --master_addr="${MASTER_ADDR:-127.0.0.1}" \
    --master_port="${PORT:-29500}" \
    --nproc_per_node="$PROCESSES" \
    ${TORCHRUN_ARGS:-} \
    "$HERE/train.py" "$CONFIG" --launcher pytorch "${@:3}"
