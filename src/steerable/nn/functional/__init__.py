"""Nonlinearities and invariants as pure functions on field-major tensors ``[B, m, d, *S]``; no group is needed here."""

from steerable.nn.functional.fourier_act import fourier_act as fourier_act
from steerable.nn.functional.gate import gate as gate
from steerable.nn.functional.group_pool import group_max_pool as group_max_pool
from steerable.nn.functional.group_pool import group_mean_pool as group_mean_pool
from steerable.nn.functional.norm_act import norm_act as norm_act
from steerable.nn.functional.norm_act import norm_act_blocks as norm_act_blocks
from steerable.nn.functional.norm_act import norm_act_irreps as norm_act_irreps
from steerable.nn.functional.norm_pool import norm_pool as norm_pool
