"""The report page of a run: one HTML file that holds its pictures and asks nothing of the network."""

from __future__ import annotations

from steerable.run.page.places import write_places as write_places
from steerable.run.page.write import write_page as write_page
