"""The search of the map: buildings, addresses, grids and, with permission, people."""
