"""
How good is this model of a protein?
====================================

Each residue has a frame of its own, made of its atoms N, CA, C. Directions seen from there are invariants, so that any
function of them may be learned: here, which residues of a predicted backbone lie where they should.
"""

import matplotlib.pyplot as plt
import torch

import steerable as st
from steerable.domains.points.frames import backbone_frames
from steerable.tasks.proteins import backbone, decoys, lddt
from steerable.tasks.proteins.backbone import fold
from steerable.tasks.proteins.decoys import KINDS

torch.manual_seed(0)
RESIDUES = 24

# %%
# Frames, and a score for each residue
# ------------------------------------
# A helix-turn-helix of ideal geometry; a model of it with errors. lDDT is the share of the distances around a residue
# that the model keeps: no superposition.

truth = backbone(*fold("helices", RESIDUES))
model = decoys(12, RESIDUES, seed=3)
one = int((model.kind == KINDS.index("helices")).nonzero()[1])
atoms = model.atoms[model.batch == one]
score = lddt(atoms[:, 1], truth[:, 1])

figure = plt.figure(figsize=(9.6, 3.6), layout="constrained")
for k, (title, a, c) in enumerate((("ideal, with frames", truth, None), ("a model of it, lDDT", atoms, score)), 1):
    axis = figure.add_subplot(1, 3, k, projection="3d")
    axis.plot(*a.flatten(0, 1).T, color="0.6", lw=1)
    if c is None:
        frames = backbone_frames(*a.unbind(1)).matrix
        for e in range(3):
            axis.quiver(*a[:, 1].T, *frames[:, :, e].T, length=2.0, color=f"C{e}", lw=1)
    else:
        marks = axis.scatter(*a[:, 1].T, c=c.residues, vmin=0.3, vmax=1, s=30, cmap="RdYlBu")
        figure.colorbar(marks, ax=axis, shrink=0.6, pad=0.0)
    axis.set(title=title)
    middle, half = a.flatten(0, 1).mean(0), 0.72 * float((a - a.flatten(0, 1).mean(0)).abs().max())
    axis.set(**{f"{name}lim": (float(m) - half, float(m) + half) for name, m in zip("xyz", middle, strict=True)})
    axis.set_box_aspect((1, 1, 1), zoom=1.4)
    axis.set_axis_off()

# %%
# Learning to score models without knowing the truth
# --------------------------------------------------
# Two heads: a score for each residue, and their mean. Beside it the same network without directions (``lmax=0``). What
# stands in for the sequence: which fold it is that of, and the place in the chain.

train, test = decoys(240, RESIDUES, seed=1), decoys(90, RESIDUES, seed=2)


def spearman(a, b):
    """Correlation of ranks."""
    return float(torch.corrcoef(torch.stack([a.argsort().argsort().double(), b.argsort().argsort().double()]))[0, 1])


def sequence(d):
    """What is known of a residue without its place in space, ``[R, 5]``."""
    place = (torch.arange(len(d.batch)) % RESIDUES + 0.5) / RESIDUES
    fold = torch.nn.functional.one_hot(d.kind[d.batch], 3).float()
    return torch.cat([fold, place[:, None], (place[:, None] - 0.5).abs()], 1)


def ask(net, d):
    """Scores of the residues and of the models."""
    residues, mean = net.heads(sequence(d), d.atoms.float(), d.batch)
    return residues[:, 0], mean[:, 0]


def fitted(lmax):
    """Train, and return the scores of new models."""
    torch.manual_seed(0)
    net = st.create_model("sgcn", in_channels=5, cutoff=15.0, neighbours=20.0, widths=(16, 16), lmax=lmax, hidden=32)
    steps = 100
    optimiser = torch.optim.AdamW(net.parameters())
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 2e-2, total_steps=steps)
    centre = float(train.residues.mean())
    for step in range(steps):
        some = torch.arange(240).view(4, 60)[step % 4]
        rows = torch.isin(train.batch, some)
        part = type(train)(
            train.atoms[rows], train.batch[rows] - some[0], train.residues[rows], train.mean[some], train.kind[some]
        )
        residues, mean = ask(net, part)
        loss = (residues + centre - part.residues).square().mean() + (mean + centre - part.mean).square().mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
    net.eval()
    with torch.no_grad():
        return net, *(s + centre for s in ask(net, test))


found = {lmax: fitted(lmax) for lmax in (0, 3)}
axis = figure.add_subplot(1, 3, 3)
for lmax, (_, residues, mean) in found.items():
    ranks = spearman(residues, test.residues), spearman(mean, test.mean)
    print(f"lmax {lmax}: Spearman {ranks[0]:.2f} of residues, {ranks[1]:.2f} of whole models")
    axis.plot(
        test.residues, residues, ".", ms=2.5, color={0: "0.6", 3: "C3"}[lmax], label=f"lmax {lmax}: {ranks[0]:.2f}"
    )
axis.plot([0, 1], [0, 1], color="k", lw=0.8)
axis.set(xlabel="lDDT of a residue", ylabel="learned", xlim=(0, 1.02), ylim=(0, 1.1), aspect="equal")
axis.legend(frameon=False, title="Spearman", markerscale=3)
plt.show()
assert spearman(found[3][2], test.mean) > 0.9
assert spearman(found[3][2], test.mean) > spearman(found[0][2], test.mean) + 0.03

# %%
# What holds without training
# ---------------------------

net, x = found[3][0].double(), sequence(test).double()
SO3 = st.SO3()
turn = SO3.action(SO3.sample(1, torch.Generator().manual_seed(0))[0])
with torch.no_grad():
    y, far, mirror = (net(x, a, test.batch) for a in (test.atoms, test.atoms @ turn.mT + 20.0, -test.atoms))
moved = float((far - y).abs().max())
mirrored = float((mirror - y).abs().max())
print(f"turned and shifted: scores move by {moved:.0e}; in a mirror by {mirrored:.2f}")
assert moved < 1e-9 < 1e-2 < mirrored
