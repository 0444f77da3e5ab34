// Icons as canvas paths, from the same sprite that the pages use.

const paths = new Map();

/** Read the sprite once; until then marks are drawn without an icon. */
export async function loadIcons(address) {
  const answer = await fetch(address);
  if (!answer.ok) return;
  const sprite = new DOMParser().parseFromString(await answer.text(), "image/svg+xml");
  for (const symbol of sprite.querySelectorAll("symbol")) {
    const whole = new Path2D();
    for (const path of symbol.querySelectorAll("path")) whole.addPath(new Path2D(path.getAttribute("d")));
    paths.set(symbol.id, whole);
  }
}

/** Draw an icon centred on (x, y), `size` pixels wide; an unknown name is three dots. */
export function drawIcon(ctx, name, x, y, size, colour, stroke = 2) {
  const path = paths.get(name) ?? paths.get("dots");
  if (!path) return;
  ctx.save();
  ctx.translate(x - size / 2, y - size / 2);
  ctx.scale(size / 24, size / 24);
  ctx.strokeStyle = colour;
  ctx.lineWidth = stroke;
  ctx.lineCap = "round";
  ctx.lineJoin = "round";
  ctx.stroke(path);
  ctx.restore();
}
