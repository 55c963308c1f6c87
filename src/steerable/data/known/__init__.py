"""Published sets of images and of meshes, read from the files that a person has downloaded; nothing is fetched here."""

from __future__ import annotations

from steerable.data.known.cifar import cifar10 as cifar10
from steerable.data.known.cifar import cifar100 as cifar100
from steerable.data.known.cifar10_subset import cifar10_subset as cifar10_subset
from steerable.data.known.deeplense import deeplense as deeplense
from steerable.data.known.galaxy10 import galaxy10 as galaxy10
from steerable.data.known.mnist import fashion_mnist as fashion_mnist
from steerable.data.known.mnist import mnist as mnist
from steerable.data.known.modelnet40 import modelnet40 as modelnet40
from steerable.data.known.pcam import pcam as pcam
from steerable.data.known.rotated_mnist import rotated_mnist as rotated_mnist
from steerable.data.known.stl10 import stl10 as stl10
