"""What a vector at a point means."""

from steerable.fields.blocks import Block as Block
from steerable.fields.complex import Stream as Stream
from steerable.fields.complex import complex_stream as complex_stream
from steerable.fields.complex import streams as streams
from steerable.fields.e3nn import e3nn_basis as e3nn_basis
from steerable.fields.e3nn import from_e3nn as from_e3nn
from steerable.fields.e3nn import to_e3nn as to_e3nn
from steerable.fields.type import FieldType as FieldType
