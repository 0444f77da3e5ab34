"""Partitions (划分): areas that tile a site without gap or overlap; cleaned as they come in, or drawn anew as grids.

``cleaning`` finds and closes faults of areas that should tile; ``cells`` lays a cell around each building; ``ground``
says which cells lie side by side; ``columns`` finds every grid that is possible; ``proof`` takes the best of them, and
proves it; ``proposals`` puts that together. For grounds too large for that, ``growing`` finds the grids one size after
the other, ``prices`` what their cells are worth, ``halving`` cuts the ground into tiles, and ``cities`` divides it.
"""
