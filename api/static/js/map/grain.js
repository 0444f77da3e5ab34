// Between two whole zooms the tiles of the nearer one below are shown smaller. What is measured in pixels (widths,
// letters, marks) is drawn larger by as much, so that it has its size on the screen and stays crisp.

/** By how much the pixels of a tile are drawn larger now; a map keeps it (tiles.js), painters and labels read it. */
export const grain = { scale: 1 };

/** The scale at a zoom: 1 at whole zooms, 1.41 half-way. */
export const grainAt = (zoom) => 2 ** (Math.round(zoom) - zoom);
