// A map within a page on paper: as it stands on the screen, made as wide as the paper.

/** A4 upright at 96 dpi, less the margins; of its height less than half. */
const PAPER = { width: 680, height: 430 };

/** Nothing is drawn anew, for the browser's own menu waits for nothing: what is there is scaled. */
export function bindPaper(map) {
  const container = map.getContainer();
  const box = container.closest(".map-box");
  const corner = box.querySelector(".map-corner");
  addEventListener("beforeprint", () => {
    const { x, y } = map.getSize();
    const scale = Math.min(PAPER.width / x, PAPER.height / y, 1);
    box.style.cssText = `inline-size: ${x * scale}px; block-size: ${y * scale}px`;
    container.style.inlineSize = `${x}px`;
    container.style.blockSize = `${y}px`;
    container.style.scale = String(scale);
    container.style.transformOrigin = "0 0";
    // The scale bar stays as long as it says.
    corner.style.scale = String(scale);
    corner.style.transformOrigin = "100% 100%";
  });
  addEventListener("afterprint", () => {
    box.style.cssText = corner.style.cssText = "";
    for (const name of ["inline-size", "block-size", "scale", "transform-origin"]) container.style.removeProperty(name);
    map.invalidateSize({ pan: false });
  });
}
