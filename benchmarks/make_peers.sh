#!/usr/bin/env sh
# Builds .venv-peers, the environment of the libraries we compare with. It is kept apart because escnn needs numpy < 2
# and a Fortran compiler, which steerable must never ask of anybody.
#   PYTHON=python3.11            the interpreter to build with
#   PEERS_PIP_ARGS="..."         further arguments for pip, e.g. --extra-index-url https://download.pytorch.org/whl/cpu
set -eu
here=$(CDPATH= cd -- "$(dirname -- "$0")/.." && pwd)
venv="$here/.venv-peers"
if ! command -v gfortran >/dev/null 2>&1; then
    echo "make_peers: gfortran is absent and escnn's dependency py3nj compiles Fortran: install it first (apt-get install gfortran)." >&2
    exit 1
fi
[ -x "$venv/bin/python" ] || "${PYTHON:-python3}" -m venv "$venv"
# shellcheck disable=SC2086  # PEERS_PIP_ARGS is a list of words
"$venv/bin/pip" install --quiet ${PEERS_PIP_ARGS:-} "torch==2.13.0" "numpy<2" "escnn==1.0.11"
"$venv/bin/python" -c "import torch, numpy, escnn.nn; print('peers: torch', torch.__version__, 'numpy', numpy.__version__, 'escnn', escnn.__version__)"
# torch-harmonics pins a newer torch; it runs on this one, without its requirements, in a folder that the benchmarks find
"$venv/bin/pip" install --quiet ${PEERS_PIP_ARGS:-} --upgrade --no-deps --target "$here/.venv-peers-sphere" "torch-harmonics==0.9.3"
