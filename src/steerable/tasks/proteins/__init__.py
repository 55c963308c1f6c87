"""Backbones of proteins in ideal geometry, models of them with errors, and how good each residue of a model is."""

from steerable.tasks.proteins.backbone import backbone as backbone
from steerable.tasks.proteins.decoys import decoys as decoys
from steerable.tasks.proteins.lddt import lddt as lddt
