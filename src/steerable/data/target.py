"""What a value of a sample is called and measured in, and what the parts of one are called."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Target:
    """The quantity, or the vector of quantities, that a regression answers, of a sample or at every place of it.

    Attributes:
        name: of the quantity, which is also the name of its column in a catalogue.
        unit: what it is measured in; empty for a pure number.
        columns: of a vector: the names of its entries, at least two; empty for a single value.
        head: of a vector: the name of the function that makes it from what a network answers (see
            `steerable.run.heads`); empty: mean and spread of each entry.
        baseline: of a single value of a cloud: what each channel of the features, summed over the points, contributes
            (such as the energy of a free atom of each element). A network learns the rest, and its answer has both.
        everywhere: whether there is a value, or a vector, at every pixel, voxel or sample of the sphere.
        trade: of a compression: what a unit of mean square error (1/255 of the range, squared) counts against one bit
            for a sample; 0: it is none. The entries are the channels of the input and, last, the bits that a sample
            costs, whose truth is 0.
        type: of a vector everywhere on the sphere: the fields that its entries are, such as ``1x0 + 1x1`` (a scalar,
            then components along south and east); empty: scalars.
        units: of each entry of a vector, where they are not all one; then `unit` is empty.

    Raises:
        ValueError: a vector of one entry, whose column ``[N, 1]`` would broadcast, or names that occur twice; a type,
            a head or a baseline of what has none; another number of units than of entries.
    """

    name: str
    unit: str = ""
    columns: tuple[str, ...] = ()
    head: str = ""
    baseline: tuple[float, ...] = field(default=(), compare=False)
    everywhere: bool = False
    type: str = ""
    trade: float = 0.0
    units: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if len(self.columns) == 1 or len(set(self.columns)) < len(self.columns):
            raise ValueError(
                f"Target {self.name}: got the columns {list(self.columns)}; expected none (a single value) or at least "
                "two different names."
            )
        if self.units and (self.unit or len(self.units) != len(self.columns)):
            raise ValueError(
                f"Target {self.name}: got the unit '{self.unit}' and units {list(self.units)} of the columns "
                f"{list(self.columns)}; expected one unit of all, or one for each column."
            )
        if (self.type and not self.everywhere) or (self.everywhere and (self.head or self.baseline)):
            raise ValueError(
                f"Target {self.name}: got everywhere={self.everywhere} with type '{self.type}', head '{self.head}', "
                f"baseline {list(self.baseline)}; expected a type of fields only, a head and a baseline of others."
            )
        if not self.trade >= 0 or (self.trade and not (self.everywhere and self.columns)):
            raise ValueError(
                f"Target {self.name}: got trade={self.trade}, everywhere={self.everywhere}, columns "
                f"{list(self.columns)}; expected a trade above 0 of channels everywhere and their bits, or 0."
            )

    @property
    def size(self) -> int:
        """How many numbers a network answers, at each place where the target is everywhere."""
        return len(self.columns) or 1

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the entries: the columns, or that of the single value."""
        return self.columns or (self.name,)

    def __str__(self) -> str:
        unit = self.unit or ", ".join(self.units)
        return f"{self.name} [{unit}]" if unit else self.name


@dataclass(frozen=True)
class Regions:
    """The class of every pixel, voxel or sample of the sphere, which a segmentation answers.

    Attributes:
        names: of the classes, in the order of the labels. A place whose label is -1 is not labelled: it is neither
            learned nor scored.

    Raises:
        ValueError: fewer than two names, or names that occur twice.
    """

    names: tuple[str, ...]

    def __post_init__(self) -> None:
        if len(self.names) < 2 or len(set(self.names)) < len(self.names):
            raise ValueError(f"Regions: got the names {list(self.names)}; expected at least two different ones.")
