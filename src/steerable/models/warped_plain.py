"""The plain twin of networks in canonical coordinates: ordinary convolutions on pixels, as many parameters."""

from __future__ import annotations

from torch import nn

from steerable.models.lens import LensCNNPlain
from steerable.models.plain_cnn import count_parameters, match_width
from steerable.models.transformer import ProjectiveTransformerNet, TransformerNet
from steerable.models.warped_cnn import WarpedCNN

_MODELS: dict[str, type[nn.Module]] = {
    "etn": TransformerNet,
    "etn_projective": ProjectiveTransformerNet,
    "warped_cnn": WarpedCNN,
}


class PlainTwin(LensCNNPlain):
    """Five convolutions on pixels, mean and maximum over space, a linear map; no warp and no transformer.

    Args:
        in_channels: of the image.
        num_classes: outputs.
        of: the model whose parameters it matches: ``etn``, ``etn_projective`` or ``warped_cnn`` with their defaults.

    Raises:
        ValueError: for another model.
    """

    def __init__(self, in_channels: int = 1, num_classes: int = 10, of: str = "etn") -> None:
        if of not in _MODELS:
            raise ValueError(f"PlainTwin: got of={of!r}; expected one of {', '.join(_MODELS)}")
        target = count_parameters(_MODELS[of](in_channels, num_classes))

        def widths(factor: float) -> list[int]:
            return [max(1, round(width * factor)) for width in (22, 34, 44, 45)]

        factor = match_width(lambda f: LensCNNPlain(in_channels, num_classes, widths(f)), target)
        super().__init__(in_channels, num_classes, widths(factor))
