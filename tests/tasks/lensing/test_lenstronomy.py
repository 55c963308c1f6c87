"""Our images against lenstronomy, where it is installed (an optional extra)."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from steerable.tasks.lensing.profiles import pseudo_jaffe_deflection
from steerable.tasks.lensing.render import pixel_grid, render
from steerable.tasks.lensing.scene import draw_scenes
from steerable.tasks.lensing.settings import CLASSES, LensSettings

pytest.importorskip("lenstronomy")
SETTINGS = LensSettings()


def _their_image(scene, psf: bool) -> np.ndarray:
    """The same scene by lenstronomy: SIE + SHEAR + PJAFFE or POINT_MASS, SERSIC_ELLIPSE, PSF of type GAUSSIAN."""
    from lenstronomy.Data.imaging_data import ImageData
    from lenstronomy.Data.psf import PSF
    from lenstronomy.ImSim.image_model import ImageModel
    from lenstronomy.LensModel.lens_model import LensModel
    from lenstronomy.LightModel.light_model import LightModel

    theta_e, e1, e2, g1, g2, x, y, sx, sy, radius, index, s1, s2, amplitude = scene.macro[0].tolist()
    smooth = theta_e - float(scene.mass_inside[0]) / theta_e
    names = ["SIE", "SHEAR"]
    keywords = [{"theta_E": smooth, "e1": e1, "e2": e2, "center_x": x, "center_y": y}, {"gamma1": g1, "gamma2": g2}]
    for (hx, hy), mass in zip(scene.halo_position[0].tolist(), scene.halo_mass[0].tolist(), strict=True):
        b = (mass**2 / theta_e) ** (1 / 3)
        a = (b * theta_e) ** 0.5
        names.append("PJAFFE")  # sigma0 such that the deflection is b (R + a - sqrt(R^2 + a^2)) / R
        keywords.append({"sigma0": 1.0, "Ra": 1e-9, "Rs": a, "center_x": hx, "center_y": hy})
        from lenstronomy.LensModel.Profiles.pseudo_jaffe import PseudoJaffe

        unit = PseudoJaffe().derivatives(0.3, 0.0, sigma0=1.0, Ra=1e-9, Rs=a)[0]
        want = b * (0.3 + a - (a**2 + 0.09) ** 0.5) / 0.3
        keywords[-1]["sigma0"] = want / unit
    if float(scene.vortex_mass[0]) > 0:
        half, angle = float(scene.vortex_half_length[0]), float(scene.vortex_angle[0])
        for step in np.linspace(-half, half, SETTINGS.vortex_points):
            names.append("POINT_MASS")
            radius_e = (float(scene.vortex_mass[0]) / SETTINGS.vortex_points) ** 0.5
            keywords.append({"theta_E": radius_e, "center_x": step * np.cos(angle), "center_y": step * np.sin(angle)})
    n, scale = SETTINGS.pixels, SETTINGS.pixel_scale
    corner = -(n - 1) / 2 * scale
    data = ImageData(
        image_data=np.zeros((n, n)), ra_at_xy_0=corner, dec_at_xy_0=corner, transform_pix2angle=np.eye(2) * scale,
        background_rms=1.0, exposure_time=1.0,
    )  # fmt: skip
    blur = PSF(psf_type="GAUSSIAN", fwhm=SETTINGS.psf_fwhm, pixel_size=scale) if psf else PSF(psf_type="NONE")
    source = LightModel(["SERSIC_ELLIPSE"])
    model = ImageModel(data, blur, lens_model_class=LensModel(names), source_model_class=source)
    light = {
        "amp": amplitude,
        "R_sersic": radius,
        "n_sersic": index,
        "e1": s1,
        "e2": s2,
        "center_x": sx,
        "center_y": sy,
    }
    image = model.image(keywords, [light])
    return np.flipud(image) / scale**2  # theirs has the lowest y first, and flux per pixel


@pytest.mark.parametrize("psf", [False, True])
@pytest.mark.parametrize("label", [0, 1, 2])
def test_images_agree(label: int, psf: bool) -> None:
    settings = SETTINGS if psf else LensSettings(psf_fwhm=0.0)
    worst = []
    for index in range(3):
        scene = draw_scenes(SETTINGS, label, [index], seed=11)
        ours = render(scene, settings, torch.float64)[0].numpy()
        theirs = _their_image(scene, psf)
        worst.append(float(np.abs(ours - theirs).max() / ours.max()))
    # What remains is the softening of singular clumps (a pixel centre beside one) and their cut of the PSF.
    print(f"{CLASSES[label]}, PSF {psf}: max |difference| / peak = {max(worst):.1e}")
    assert max(worst) < (1e-4 if label == 0 else 5e-3)


def test_pseudo_jaffe_agrees_in_shape() -> None:
    from lenstronomy.LensModel.Profiles.pseudo_jaffe import PseudoJaffe

    x, y = (t[::7, ::7].flatten() for t in pixel_grid(SETTINGS, torch.float64))
    mass, theta_e = torch.tensor(2e-3, dtype=torch.float64), torch.tensor(1.0, dtype=torch.float64)
    ours = pseudo_jaffe_deflection(x, y, mass, theta_e)[0]
    a = float((mass**2 / theta_e) ** (1 / 6) * theta_e**0.5)
    theirs = torch.from_numpy(PseudoJaffe().derivatives(x.numpy(), y.numpy(), sigma0=1.0, Ra=1e-9, Rs=a)[0])
    ratio = ours / theirs
    assert float(ratio.std() / ratio.mean()) < 1e-5
