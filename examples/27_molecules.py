"""
An energy, and its forces
=========================

A network of points that answers with one number for each molecule is an energy. Its gradient by the positions is the
force on every atom: no second network, and no way for it to disagree with the energy.
"""

import matplotlib.pyplot as plt
import torch

import steerable as st

torch.manual_seed(0)
torch.set_default_dtype(torch.float64)
SIX = 6  # atoms of a cluster


def truth(positions, batch, kind):
    """The energy that is to be learned: bonds between all pairs (Morse), two sizes of atoms."""
    g = st.Points(positions, batch).neighbours(6.0)
    size = torch.tensor([1.0, 1.35])[kind]
    stretch = g.distance - (size[g.target] + size[g.source]) / 2
    bond = torch.exp(-3 * stretch) / 2 - torch.exp(-1.5 * stretch)
    return torch.zeros(int(batch.max()) + 1).index_add(0, batch[g.target], bond)


def clusters(count, seed):
    """Positions, cluster and kind of the atoms of shaken octahedra, turned any way."""
    generator = torch.Generator().manual_seed(seed)
    kind = torch.randint(2, (count * SIX,), generator=generator)
    corners = 0.85 * torch.cat([torch.eye(3), -torch.eye(3)])
    turns = st.SO3().action(st.SO3().sample(count, generator))
    shaken = corners @ turns.mT + 0.08 * torch.randn(count, SIX, 3, generator=generator)
    return shaken.flatten(0, 1), torch.arange(count).repeat_interleave(SIX), kind


def forces(energy, positions, batch, kind, train=False):
    """Energies ``[clusters]``, and minus their gradient ``[atoms, 3]``."""
    positions = positions.detach().requires_grad_()
    e = energy(positions, batch, kind)
    (slope,) = torch.autograd.grad(e.sum(), positions, create_graph=train)
    return (e, -slope) if train else (e.detach(), -slope)


# %%
# Training on energies and forces
# -------------------------------
# ``reduce="sum"``: energies add up over atoms. The kernel ends smoothly at the cut-off, so that forces have no jumps.

positions, batch, kind = clusters(256, 0)
energy, force = forces(truth, positions, batch, kind)
net = st.create_model(
    "point_cnn", in_channels=2, num_classes=1, group="O3", cutoff=2.5, widths=(16,), kernel_size=11, reduce="sum",
    neighbours=5.0,
)  # fmt: skip


def learned(positions, batch, kind):
    """The energy that the network gives, in the units of the training set."""
    answer = net(torch.nn.functional.one_hot(kind, 2).to(positions), positions, batch)[:, 0]
    return energy.mean() + energy.std() * answer


steps = 200
optimiser = torch.optim.AdamW(net.parameters())
schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 2e-2, total_steps=steps)
for _ in range(steps):
    some = torch.randperm(256)[:16]
    atoms = (some[:, None] * SIX + torch.arange(SIX)).flatten()
    e, f = forces(learned, positions[atoms], torch.arange(16).repeat_interleave(SIX), kind[atoms], train=True)
    loss = (e - energy[some]).square().mean() / energy.var() + (f - force[atoms]).square().mean() / force.var()
    optimiser.zero_grad()
    loss.backward()
    optimiser.step()
    schedule.step()
net.eval()

positions, batch, kind = clusters(64, 1)
right_energy, right = forces(truth, positions, batch, kind)
found_energy, found = forces(learned, positions, batch, kind)
miss = float((found - right).norm() / right.norm())
print(f"64 new clusters: forces are off by {miss:.2f} of their size (a constant energy: 1.00)")
assert miss < 0.5

# %%
# What holds without training
# ---------------------------
# The energy is invariant, so forces turn with the molecule, add up to nothing and exert no torque.

O3 = st.O3()
g = O3.sample(1, torch.Generator().manual_seed(2))[0]
turn = O3.action(g)
again_energy, again = forces(learned, positions @ turn.mT, batch, kind)
turns = float((again - found @ turn.mT).norm() / found.norm())
stays = float((again_energy - found_energy).abs().max())
total = found.view(-1, SIX, 3).sum(1).abs().max()
torque = torch.linalg.cross(positions, found).view(-1, SIX, 3).sum(1).abs().max()
print(f"under a rotation with a reflection energies move by {stays:.0e}, forces miss the turned ones by {turns:.0e}")
print(f"sum of the forces {total:.0e}, of the torques {torque:.0e}")
assert max(turns, stays, float(total), float(torque)) < 1e-10

figure = plt.figure(figsize=(9.6, 3.9), layout="constrained")
one = torch.arange(SIX)
views = [
    ("a new cluster", positions, right, found),
    ("turned and reflected", positions @ turn.mT, right @ turn.mT, again),
]
for k, (title, p, want, have) in enumerate(views, 1):
    axis = figure.add_subplot(1, 3, k, projection="3d")
    p, want, have = p[one], want[one] * 0.22, have[one] * 0.22
    for i in range(SIX):
        for j in range(i):
            if (p[i] - p[j]).norm() < 1.45:
                axis.plot(*p[[i, j]].T, color="0.8", lw=1.5, zorder=0)
    axis.scatter(*p.T, s=90 + 90 * kind[one], c=[("C0", "C2")[q] for q in kind[one]], depthshade=False, alpha=0.9)
    axis.quiver(*p.T, *want.T, color="0.35", lw=3, alpha=0.5, arrow_length_ratio=0.25)
    axis.quiver(*p.T, *have.T, color="C3", lw=1.3, arrow_length_ratio=0.25)
    axis.set(title=title, xlim=(-0.9, 0.9), ylim=(-0.9, 0.9), zlim=(-0.9, 0.9))
    axis.set_box_aspect((1, 1, 1), zoom=1.25)
    axis.set_axis_off()
axis = figure.add_subplot(1, 3, 3)
limit = float(right.abs().max())
axis.plot([-limit, limit], [-limit, limit], color="0.7", lw=1)
axis.plot(right.flatten(), found.flatten(), ".", ms=3, color="C3")
axis.set(xlabel="force, true", ylabel="force, learned", aspect="equal")
plt.show()

# %%
# A pair that parts
# -----------------
# The last neighbour leaves without a jump in energy or force.

apart = torch.linspace(1.9, 2.7, 161)
pair = torch.stack([torch.zeros(161, 3), torch.stack([apart, 0 * apart, 0 * apart], 1)], 1).flatten(0, 1)
pairs = torch.arange(161).repeat_interleave(2)
e, f = forces(learned, pair, pairs, torch.zeros(322, dtype=torch.int64))
pull = f.view(-1, 2, 3)[:, 1, 0]
figure, axis = plt.subplots(figsize=(6, 3), layout="constrained")
axis.plot(apart, e - e[-1], label="energy, from that of two lone atoms")
axis.plot(apart, pull, label="force on the second atom")
axis.axvline(2.5, color="0.6", ls="--", lw=1)
axis.set(xlabel="distance (dashed: the cut-off)")
axis.legend(frameon=False)
plt.show()
print(f"force at the cut-off and beyond: {float(pull[apart > 2.5 - 1e-9].abs().max()):.0e}")
assert float(pull[apart > 2.5 - 1e-9].abs().max()) < 1e-10
