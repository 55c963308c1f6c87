"""
Solids in a box, turned any way
===============================

Balls, boxes and rods of voxels: which one is it? Both networks see every solid upright while they learn, and turned when
they are asked. One of them is equivariant by construction.
"""

import time

import matplotlib.pyplot as plt
import torch

import steerable as st
from steerable.domains import VoxelGrid

torch.manual_seed(0)
