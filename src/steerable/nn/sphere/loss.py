"""Losses of fields on the sphere: every sample counts by its area, those under a mask not at all."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from steerable.aggregate.pairs import PairRows, pair_rows, pair_sums
from steerable.domains.sphere import Sphere, parse_sphere
from steerable.kernels.envelope import envelope
from steerable.nn.constants import ConstantModule, on_processor


class SphereLoss(ConstantModule):
    """The shared half: shares of area, masks, means. Sums run over the batch as over the sphere.

    Args:
        sphere: where fields ``[B, C, *sphere.shape]`` lie, a sampling or its name.
        mask: True where samples count, ``[*sphere.shape]``: land, a part of the sky. None: everywhere.

    Raises:
        ValueError: for a mask of another shape, or one that leaves nothing.
    """

    shares: Tensor

    def __init__(self, sphere: Sphere | str, mask: Tensor | None = None) -> None:
        super().__init__()
        self.sphere = sphere = parse_sphere(sphere)
        weights = sphere.weights().expand(sphere.shape)
        if mask is not None:
            if tuple(mask.shape) != sphere.shape or mask.dtype != torch.bool:
                raise ValueError(
                    f"{type(self).__name__}: the mask is {mask.dtype} {list(mask.shape)}; expected bool "
                    f"{list(sphere.shape)} of {sphere!r}, True where samples count"
                )
            weights = weights * mask
        if not float(weights.sum()) > 0:
            raise ValueError(
                f"{type(self).__name__}: the mask leaves nothing of {sphere!r}; expected True where samples count"
            )
        self.register_constant("shares", weights / weights.sum())

    def areas(self, like: Tensor, mask: Tensor | None = None) -> Tensor:
        """Shares of every sample of a batch ``[B, *sphere.shape]`` (or 1 for B), of sum 1 in each without a mask.

        In float32 at least: in half precision areas near the poles are lost.

        Args:
            like: ``[B, ..., *sphere.shape]``.
            mask: of this batch, bool ``[B, *sphere.shape]`` or ``[*sphere.shape]``; it adds to that of the layer.

        Raises:
            ValueError: for another sampling or mask, or a mask that leaves nothing (looked at in eager mode only).
        """
        shape = self.sphere.shape
        eager = not torch.compiler.is_compiling()
        if eager:
            self.sphere.check_map(like)
        dtype = like.dtype if like.is_floating_point() else self.shares.dtype
        shares = self.shares.to(like.device, torch.promote_types(dtype, torch.float32))[None]
        if mask is None:
            return shares
        if eager and (mask.dtype != torch.bool or tuple(mask.shape) not in (shape, (like.shape[0], *shape))):
            raise ValueError(
                f"{type(self).__name__}: the mask is {mask.dtype} {list(mask.shape)}; expected bool {list(shape)} or "
                f"{[like.shape[0], *shape]}, True where samples count"
            )
        shares = shares * mask.view(-1, *shape)
        self.require_some(shares)
        return shares

    def require_some(self, shares: Tensor) -> None:
        """Raise ``ValueError`` if nothing of a batch counts; silent while compiling."""
        if not torch.compiler.is_compiling() and shares.shape[0] and not bool((shares > 0).any()):
            raise ValueError(
                f"{type(self).__name__}: the mask leaves nothing of this batch of {shares.shape[0]}; expected True "
                "where samples count"
            )

    def mean(self, values: Tensor, shares: Tensor) -> Tensor:
        """Mean of ``[B, ..., *sphere.shape]`` by shares ``[B or 1, *sphere.shape]``; what has no share is not seen."""
        extra = values.dim() - shares.dim()
        shares = shares.view(shares.shape[0], *(1,) * extra, *shares.shape[1:]).expand_as(values)
        return torch.where(shares > 0, values, 0.0).mul(shares).sum() / shares.sum()

    def check_pair(self, x: Tensor, y: Tensor) -> None:
        """Raise ``ValueError`` for fields of different shapes."""
        if not torch.compiler.is_compiling() and x.shape != y.shape:
            raise ValueError(
                f"{type(self).__name__}: the prediction is {list(x.shape)} and the target {list(y.shape)}; expected "
                "two fields of one shape"
            )

    def extra_repr(self) -> str:
        """The sampling."""
        return f"{self.sphere!r}"


class SphereMSELoss(SphereLoss):
    """Mean squared error by area. Of fields of spin too: no choice of frames changes it."""

    def forward(self, x: Tensor, y: Tensor, mask: Tensor | None = None) -> Tensor:
        """Of two fields ``[B, C, *sphere.shape]``; where nothing counts the target may be NaN."""
        self.check_pair(x, y)
        shares = self.areas(x, mask)
        return self.mean((x - self.known(y, shares, x)).square(), shares)

    def known(self, y: Tensor, shares: Tensor, x: Tensor) -> Tensor:
        """The target, and the prediction itself where nothing counts, so that no gradient meets a NaN."""
        return torch.where((shares > 0)[:, None], y, x.detach())


class SphereL1Loss(SphereMSELoss):
    """Mean absolute error by area, of scalars."""

    def forward(self, x: Tensor, y: Tensor, mask: Tensor | None = None) -> Tensor:
        """Of two fields ``[B, C, *sphere.shape]``; where nothing counts the target may be NaN."""
        self.check_pair(x, y)
        shares = self.areas(x, mask)
        return self.mean((x - self.known(y, shares, x)).abs(), shares)


class SphereH1Loss(SphereMSELoss):
    """Mean squared error of the gradient of scalars by area, ``(1 / A) int |grad (x - y)|^2``: of Y_lm l (l + 1) times
    its mean square.

    Gradients are those of planes fitted to neighbours, right to second order where these lie evenly. Samples with a
    neighbour that does not count do not count.

    Args:
        sphere: where fields lie, a sampling or its name.
        mask: True where samples count.
        radius: of the neighbours, in spacings.

    Raises:
        ValueError: if somewhere neighbours lie along a line.
    """

    _slopes: Tensor

    @on_processor
    def __init__(self, sphere: Sphere | str, mask: Tensor | None = None, radius: float = 1.8) -> None:
        super().__init__(sphere, mask)
        sphere = self.sphere
        near = sphere.neighbours(radius * sphere.spacing)
        count, away = sphere.num_points, near.offset
        weight = envelope(near.distance, radius * sphere.spacing) * near.weight
        product = weight[:, None, None] * away[:, :, None] * away[:, None]
        matrix = torch.zeros(count, 2, 2, dtype=torch.float64).index_add(0, near.target, product)
        if not bool((torch.linalg.cond(matrix) < 1e6).all()):
            raise ValueError(
                f"SphereH1Loss: the neighbours of some sample of {sphere!r} within {radius:g} spacings lie along a "
                "line; expected a larger radius"
            )
        slopes = torch.linalg.solve(matrix[near.target], (weight[:, None] * away)[..., None])[..., 0]
        for name, tensor in pair_rows(near.target, near.source, count, count)._asdict().items():
            self.register_buffer(f"_{name}", tensor, persistent=False)
        self.register_constant("_slopes", slopes.T.contiguous())

    def forward(self, x: Tensor, y: Tensor, mask: Tensor | None = None) -> Tensor:
        """Of two scalar fields ``[B, C, *sphere.shape]``; where nothing counts the target may be NaN."""
        self.check_pair(x, y)
        counted = self.areas(x, mask)
        error = x - self.known(y, counted, x)
        rows = PairRows(self._start, self._source, self._target, self._column_start, self._by_column)
        missing = (counted <= 0).to(x.dtype).flatten(1).T.contiguous()
        beside = pair_sums(torch.ones_like(self._slopes[0], dtype=x.dtype), missing, rows).T.reshape(counted.shape)
        shares = torch.where(beside > 0, 0.0, counted)
        self.require_some(shares)
        flat = error.flatten(2).flatten(0, 1).T.contiguous()
        total = torch.zeros_like(flat)
        for slopes in self._slopes.to(x.dtype):
            whole = torch.zeros(flat.shape[0], dtype=x.dtype, device=x.device).index_add(0, self._target, slopes)
            total = total + (pair_sums(slopes, flat, rows) - whole[:, None] * flat).square()
        return self.mean(total.T.reshape(x.shape), shares)


class SphereCrossEntropyLoss(SphereLoss):
    """Cross entropy by area, of logits ``[B, K, *sphere.shape]`` and classes ``[B, *sphere.shape]``.

    Args:
        sphere: where fields lie, a sampling or its name.
        mask: True where samples count.
        class_weights: what a class counts ``[K]``; default all alike.
        ignore: a class that does not count.
    """

    def __init__(
        self, sphere: Sphere | str, mask: Tensor | None = None, class_weights: Tensor | None = None, ignore: int = -100
    ) -> None:
        super().__init__(sphere, mask)
        self.ignore = ignore
        if class_weights is not None:
            self.register_constant("class_weights", class_weights)
        else:
            self.class_weights = None

    def forward(self, logits: Tensor, classes: Tensor, mask: Tensor | None = None) -> Tensor:
        """The loss. Raises ``ValueError`` for shapes that do not belong together."""
        entropy, shares = self.entropy(logits, classes, mask)
        return self.mean(entropy, shares)

    def entropy(self, logits: Tensor, classes: Tensor, mask: Tensor | None) -> tuple[Tensor, Tensor]:
        """Of every sample ``[B, *sphere.shape]``, and what it counts."""
        known, shares = self.counted(logits, classes, mask)
        if self.class_weights is not None:
            shares = shares * self.class_weights.to(shares)[known]
        return F.cross_entropy(logits, known, reduction="none"), shares

    def counted(self, logits: Tensor, classes: Tensor, mask: Tensor | None) -> tuple[Tensor, Tensor]:
        """Classes, 0 where nothing counts, and areas, both ``[B, *sphere.shape]``."""
        if not torch.compiler.is_compiling() and logits.shape[:1] + logits.shape[2:] != classes.shape:
            raise ValueError(
                f"{type(self).__name__}: logits are {list(logits.shape)} and classes {list(classes.shape)}; expected "
                "[B, K, *sphere.shape] and [B, *sphere.shape]"
            )
        shares = self.areas(logits, mask) * (classes != self.ignore)
        self.require_some(shares)
        return torch.where(shares > 0, classes, 0).long(), shares


class SphereFocalLoss(SphereCrossEntropyLoss):
    """Focal loss by area, ``-(1 - p)^gamma log p``: what is nearly right counts little.

    Args:
        sphere: where fields lie, a sampling or its name.
        gamma: 0: cross entropy.
        mask, class_weights, ignore: of :class:`SphereCrossEntropyLoss`.

    Source: Lin et al., "Focal Loss for Dense Object Detection", arXiv 1708.02002.
    """

    def __init__(
        self,
        sphere: Sphere | str,
        gamma: float = 2.0,
        mask: Tensor | None = None,
        class_weights: Tensor | None = None,
        ignore: int = -100,
    ) -> None:
        super().__init__(sphere, mask, class_weights, ignore)
        self.gamma = gamma

    def forward(self, logits: Tensor, classes: Tensor, mask: Tensor | None = None) -> Tensor:
        """The loss. Raises ``ValueError`` for shapes that do not belong together."""
        entropy, shares = self.entropy(logits, classes, mask)
        miss = (-torch.expm1(-entropy)).clamp_min(torch.finfo(entropy.dtype).tiny)  # roots have no slope at 0
        return self.mean(miss**self.gamma * entropy, shares)


class SphereDiceLoss(SphereCrossEntropyLoss):
    """``1 - 2 |P and Y| / (|P| + |Y|)`` with areas, the mean over classes; P is the softmax of the logits.

    Args:
        sphere: where fields lie, a sampling or its name.
        smooth: added above and below, as a share of the sphere: a class that is nowhere has loss 0.
        mask, class_weights, ignore: of :class:`SphereCrossEntropyLoss`; weights are those of the mean over classes.

    Source: Milletari, Navab and Ahmadi, "V-Net", arXiv 1606.04797.
    """

    def __init__(
        self,
        sphere: Sphere | str,
        smooth: float = 1e-4,
        mask: Tensor | None = None,
        class_weights: Tensor | None = None,
        ignore: int = -100,
    ) -> None:
        super().__init__(sphere, mask, class_weights, ignore)
        self.smooth = smooth

    def forward(self, logits: Tensor, classes: Tensor, mask: Tensor | None = None) -> Tensor:
        """The loss. Raises ``ValueError`` for shapes that do not belong together."""
        known, shares = self.counted(logits, classes, mask)
        truth = F.one_hot(known, logits.shape[1]).movedim(-1, 1).to(logits.dtype)
        shares = (shares / shares.sum())[:, None]
        share = logits.softmax(1)
        axes = (0, *range(2, logits.dim()))
        both = (shares * share * truth).sum(axes)
        sizes = (shares * (share + truth)).sum(axes)
        loss = 1 - (2 * both + self.smooth) / (sizes + self.smooth)
        weights = torch.ones_like(loss) if self.class_weights is None else self.class_weights.to(loss)
        return (loss * weights).sum() / weights.sum()
