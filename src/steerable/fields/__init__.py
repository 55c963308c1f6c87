"""What a vector at a point means."""

from steerable.fields.blocks import Block as Block
from steerable.fields.type import FieldType as FieldType
