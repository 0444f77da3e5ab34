"""Coverages (无缝划分): areas that tile a site without gap or overlap, and edits that keep them so.

``tiling`` is the structure, its shared edges, and how a dirty division becomes one; ``edits`` moves edges and vertices;
``painting`` hands ground over: draw, split, merge, create, close; ``handing`` moves buildings with the ground around
them, balances grids and makes them contiguous; ``checks`` says what is wrong with a division, and where.
"""
