"""Particles that move under forces between them, and what the next moment of their motion is predicted from."""

from steerable.tasks.particles.forces import FORCES as FORCES
from steerable.tasks.particles.simulate import Trajectories as Trajectories
from steerable.tasks.particles.simulate import simulate as simulate
