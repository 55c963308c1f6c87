"""Maps of the cosmic microwave background: Gaussian skies, lensed exactly, and what they were before."""

from steerable.tasks.cmb.at_frames import fields_at as fields_at
from steerable.tasks.cmb.dataset import DelensingMaps as DelensingMaps
from steerable.tasks.cmb.dataset import delensing as delensing
from steerable.tasks.cmb.lens import carried as carried
from steerable.tasks.cmb.lens import gradient as gradient
from steerable.tasks.cmb.lens import gradient_coefficients as gradient_coefficients
from steerable.tasks.cmb.lens import lensed_at as lensed_at
from steerable.tasks.cmb.spectra import acoustic_power as acoustic_power
from steerable.tasks.cmb.spectra import draw as draw
from steerable.tasks.cmb.spectra import flat_power as flat_power
from steerable.tasks.cmb.spectra import lensing_power as lensing_power
from steerable.tasks.cmb.spectra import per_degree as per_degree
from steerable.tasks.cmb.spectra import power_spectrum as power_spectrum
