from __future__ import annotations

import pytest

from steerable.tasks.lensing.cosmology import ARCSEC, angular_diameter_distance, einstein_radius
from steerable.tasks.lensing.settings import LensSettings


def test_einstein_radius_of_a_galaxy() -> None:
    assert einstein_radius(1e12) == pytest.approx(1.66452, abs=1e-5)
    assert einstein_radius(4e12) == pytest.approx(2 * einstein_radius(1e12))
    assert LensSettings().mass_unit * 1e12 == pytest.approx(1.66452**2, rel=1e-5)


def test_an_einstein_de_sitter_universe_has_a_closed_form() -> None:
    for z in (0.1, 1.0, 3.0):
        exact = 2 * 299_792.458 / 70.0 * (1 - (1 + z) ** -0.5) / (1 + z)
        assert angular_diameter_distance(z, omega_m=1.0) == pytest.approx(exact, rel=1e-12)


def test_distances_agree_with_astropy() -> None:
    cosmology = pytest.importorskip("astropy.cosmology")
    universe = cosmology.FlatLambdaCDM(H0=70, Om0=0.3, Tcmb0=0)
    for z in (0.2, 0.5, 1.0, 2.5):
        assert angular_diameter_distance(z) == pytest.approx(universe.angular_diameter_distance(z).value, rel=1e-6)
    between = (universe.comoving_distance(1.0) - universe.comoving_distance(0.5)).value / 2.0
    assert angular_diameter_distance(1.0, z_from=0.5) == pytest.approx(between, rel=1e-6)
    assert pytest.approx(4.84813681e-6, rel=1e-8) == ARCSEC


@pytest.mark.parametrize("call", [lambda: einstein_radius(-1.0), lambda: einstein_radius(1e12, z_lens=2.0)])
def test_nonsense_is_refused(call) -> None:
    with pytest.raises(ValueError, match="expected mass >= 0 and 0 < z_lens < z_source"):
        call()


def test_settings_refuse_what_is_not_theirs() -> None:
    with pytest.raises(ValueError, match="unknown setting 'thetaE'"):
        LensSettings.from_dict({"thetaE": 1.0})
    with pytest.raises(ValueError, match="expected two finite numbers"):
        LensSettings(shear=(0.1, float("nan")))
    with pytest.raises(ValueError, match="peak_snr=-1"):
        LensSettings(peak_snr=-1)
    with pytest.raises(ValueError, match="mode='published' is not known"):
        LensSettings(mode="published")
    with pytest.raises(ValueError, match="the source lies behind the lens"):
        LensSettings(z_lens=1.0, z_source=0.5)
    with pytest.raises(ValueError, match="at most 4096 a side"):
        LensSettings(pixels=10_000_000)
    with pytest.raises(ValueError, match="point-spread function that fits in"):
        LensSettings(psf_fwhm=4.0)
    with pytest.raises(ValueError, match="classes=\\('none', 'hot'\\); expected some of"):
        LensSettings(classes=("none", "hot"))
    with pytest.raises(ValueError, match=r"halo_masses=.*expected a range above 0"):
        LensSettings(halo_masses=(-1.0, 1e9))
    assert LensSettings.from_dict(LensSettings(pixels=32).to_dict()) == LensSettings(pixels=32)
