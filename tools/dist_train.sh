#!/usr/bin/env bash
# Train on several processes: tools/dist_train.sh CONFIG PROCESSES [arguments of tools/train.py]
# Several machines: run it on each with NNODES, NODE_RANK (0, 1, ...) and MASTER_ADDR (address of rank 0) set.
# Without a GPU the processes share the CPU and talk through gloo.
set -euo pipefail

CONFIG=${1:?usage: $0 CONFIG PROCESSES [arguments of tools/train.py]}
PROCESSES=${2:?usage: $0 CONFIG PROCESSES [arguments of tools/train.py]}
HERE=$(cd "$(dirname "$0")" && pwd)

PYTHONPATH="$HERE/..:${PYTHONPATH:-}" exec "${PYTHON:-python}" -m torch.distributed.run \
    --nnodes="${NNODES:-1}" \
    --node_rank="${NODE_RANK:-0}" \
    --master_addr="${MASTER_ADDR:-127.0.0.1}" \
    --master_port="${PORT:-29500}" \
    --nproc_per_node="$PROCESSES" \
    "$HERE/train.py" "$CONFIG" --launcher pytorch "${@:3}"
