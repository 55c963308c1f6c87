"""Two real processes train one network with DistributedDataParallel and agree."""

from __future__ import annotations

import subprocess
import sys

WORKER = """
import os, sys, torch, steerable as st
import torch.distributed as dist
rank, store = int(sys.argv[1]), sys.argv[2]
os.environ["GLOO_SOCKET_IFNAME"] = "lo"
dist.init_process_group("gloo", init_method="file://" + store, rank=rank, world_size=2)
torch.manual_seed(rank)  # different weights: the wrapper must send those of rank 0
t = 2 * st.D(3).regular + 2 * st.D(3).irrep("1")
net = st.nn.Sequential(st.nn.Conv2d(1 * st.D(3).trivial, t, 3), st.nn.BatchNorm(t), st.nn.NormAct(t), st.nn.NormPool(t))
wrapped = torch.nn.parallel.DistributedDataParallel(net)
step = torch.optim.SGD(wrapped.parameters(), 0.1)
for _ in range(3):
    step.zero_grad()
    wrapped(torch.randn(2, 1, 7, 7)).square().mean().backward()
    step.step()
mine = torch.cat([p.detach().flatten() for p in net.parameters()])
both = [torch.zeros_like(mine) for _ in range(2)]
dist.all_gather(both, mine)
assert torch.equal(both[0], both[1]), "the processes hold different weights"
dist.destroy_process_group()
print("agree")
"""


def test_two_processes_agree(tmp_path):
    commands = [[sys.executable, "-c", WORKER, str(rank), str(tmp_path / "store")] for rank in range(2)]
    workers = [subprocess.Popen(c, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for c in commands]
    for worker in workers:
        out, errors = worker.communicate(timeout=120)
        assert worker.returncode == 0, errors[-2000:]
        assert "agree" in out
