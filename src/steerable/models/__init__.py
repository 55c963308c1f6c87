"""Architectures, one a file, and the table that names them."""

from steerable.models.codec import Codec as Codec
from steerable.models.codec import Coded as Coded
from steerable.models.codec import Symbols as Symbols
from steerable.models.gdn import GDN as GDN
from steerable.models.macs import count_macs as count_macs
from steerable.models.needlet_sets import NeedletSets as NeedletSets
from steerable.models.needlet_sets import PlainSets as PlainSets
from steerable.models.registry import create_model as create_model
from steerable.models.registry import describe_model as describe_model
from steerable.models.registry import example_domain as example_domain
from steerable.models.registry import example_side as example_side
from steerable.models.registry import list_models as list_models
from steerable.models.registry import model_arguments as model_arguments
from steerable.models.sphere_codec import EquirectCodec as EquirectCodec
from steerable.models.sphere_codec import SphereCodec as SphereCodec
