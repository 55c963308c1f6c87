"""Statements that must hold on random input, for anybody's layer; ``laws.strategies`` needs hypothesis."""

from __future__ import annotations

import importlib
from typing import Any

from steerable.laws.angles import AngleCurve as AngleCurve
from steerable.laws.angles import error_against_angle as error_against_angle
from steerable.laws.check import check as check
from steerable.laws.equivariance import assert_equivariant as assert_equivariant
from steerable.laws.equivariance import equivariance_error as equivariance_error
from steerable.laws.export import assert_baked_equals as assert_baked_equals
from steerable.laws.export import assert_compiled_equals as assert_compiled_equals
from steerable.laws.export import assert_export_equals_eager as assert_export_equals_eager
from steerable.laws.export import assert_onnx_equals as assert_onnx_equals
from steerable.laws.field import Field as Field
from steerable.laws.gauge import assert_gauge_equivariant as assert_gauge_equivariant
from steerable.laws.gauge import gauge_error as gauge_error
from steerable.laws.icosahedral import icosahedral_errors as icosahedral_errors
from steerable.laws.icosahedral import random_gauges as random_gauges
from steerable.laws.icosahedral import regauge as regauge
from steerable.laws.icosahedral import turn_icosahedron as turn_icosahedron
from steerable.laws.lint import lint as lint
from steerable.laws.lint_rules import Finding as Finding
from steerable.laws.permutation import assert_batch_independent as assert_batch_independent
from steerable.laws.permutation import assert_permutation_equivariant as assert_permutation_equivariant
from steerable.laws.permutation import permutation_error as permutation_error
from steerable.laws.points import assert_equivariant_on_points as assert_equivariant_on_points
from steerable.laws.points import point_errors as point_errors
from steerable.laws.report import Report as Report
from steerable.laws.samples import grid_invariance_error as grid_invariance_error
from steerable.laws.sizes import SizeViolation as SizeViolation
from steerable.laws.sizes import size_violations as size_violations
from steerable.laws.sphere import assert_equivariant_on_sphere as assert_equivariant_on_sphere
from steerable.laws.sphere import sphere_errors as sphere_errors
from steerable.laws.sphere_symmetries import assert_exact_on_sphere as assert_exact_on_sphere
from steerable.laws.sphere_symmetries import exact_sphere_errors as exact_sphere_errors
from steerable.laws.sphere_symmetries import sphere_symmetries as sphere_symmetries
from steerable.laws.sphere_symmetries import turn_samples as turn_samples


def __getattr__(name: str) -> Any:
    """Load the hypothesis strategies when first named."""
    if name == "strategies":
        return importlib.import_module("steerable.laws.strategies")
    raise AttributeError(f"module 'steerable.laws' has no attribute {name!r}")
