// Areas and lines, from the ground up. Each rule is { dataSource, dataLayer, minzoom?, filter?, symbolizer }.

import { phone } from "../dom.js";
import { grain } from "./grain.js";
import { drawMark } from "./marks.js";

const LINE = 2;
const POLYGON = 3;

/** Pixels per metre at a zoom: true widths of roads need the latitude. */
export const scaleAt = (zoom, latitude) =>
  (256 * 2 ** zoom) / (40075016.686 * Math.cos((latitude * Math.PI) / 180));

function trace(ctx, geom) {
  ctx.beginPath();
  for (const part of geom) {
    part.forEach((point, i) => (i ? ctx.lineTo(point.x, point.y) : ctx.moveTo(point.x, point.y)));
  }
}

const fill = ({ colour, opacity = 1, edge, width = 1 }) => ({
  draw(ctx, geom, zoom, feature) {
    if (feature.geomType !== POLYGON) return;
    const paint = typeof colour === "function" ? colour(feature) : colour;
    if (!paint) return;
    trace(ctx, geom);
    ctx.globalAlpha = opacity;
    ctx.fillStyle = paint;
    ctx.fill();
    if (edge) {
      ctx.globalAlpha = 1;
      ctx.strokeStyle = edge;
      ctx.lineWidth = width * grain.scale;
      ctx.lineJoin = "miter";
      ctx.stroke();
    }
  },
});

const line = ({ colour, width, dash, cap = "round" }) => ({
  draw(ctx, geom, zoom, feature) {
    if (feature.geomType === 1) return;
    trace(ctx, geom);
    ctx.globalAlpha = 1;
    ctx.strokeStyle = colour;
    ctx.lineWidth = typeof width === "function" ? width(zoom, feature) : width * grain.scale;
    ctx.lineCap = cap;
    ctx.lineJoin = "round";
    ctx.setLineDash((dash ?? []).map((part) => part * grain.scale));
    ctx.stroke();
    ctx.setLineDash([]);
  },
});

/** The class of a value: 0 … breaks.length; a value equal to a limit belongs above it. */
export function classOf(value, breaks) {
  let index = 0;
  while (index < breaks.length && value >= breaks[index]) index += 1;
  return index;
}

/** The colours for `breaks.length + 1` classes, spread over the ramp so that the ends stay the ends. */
export function classColours(breaks, ramp) {
  const last = breaks.length;
  return Array.from({ length: last + 1 }, (_, i) => ramp[last ? Math.round((i * (ramp.length - 1)) / last) : 2]);
}

// On paper a black-and-white copier must keep the classes apart: each class gets its own density of hatching.
function hatch(ctx, step) {
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = step;
  const brush = canvas.getContext("2d");
  brush.strokeStyle = "rgba(24,33,43,.55)";
  brush.lineWidth = 0.8;
  brush.beginPath();
  for (const shift of [-step, 0, step]) {
    brush.moveTo(shift, step);
    brush.lineTo(shift + step, 0);
  }
  brush.stroke();
  return ctx.createPattern(canvas, "repeat");
}

const hatched = (classIndex) => ({
  draw(ctx, geom, zoom, feature) {
    const index = classIndex(feature);
    if (index < 1 || feature.geomType !== POLYGON) return;
    trace(ctx, geom);
    ctx.globalAlpha = 1;
    ctx.fillStyle = hatch(ctx, Math.round([0, 18, 12, 8, 5][Math.min(index, 4)] * grain.scale));
    ctx.fill();
  },
});

function groundRules(config, latitude) {
  const { ground } = config.symbols;
  const kind = (name) => (zoom, feature) => feature.props.kind === name;
  const onGround = (filter, symbolizer, minzoom) => ({
    dataSource: "basemap", dataLayer: "basemap", filter, symbolizer, minzoom,
  });
  const roadWidth = (extra) => (zoom, feature) =>
    Math.max((zoom < 15 ? 1.5 : 3) * grain.scale, (feature.props.width_m ?? 6) * scaleAt(zoom, latitude)) +
    extra * grain.scale;
  return [
    onGround(kind("landuse"), fill({ colour: ground.landuse }), 14),
    onGround(kind("green"), fill({ colour: ground.green }), 13),
    onGround(kind("water"), fill({ colour: ground.water })),
    onGround(
      (zoom, feature) => feature.props.kind === "water" && feature.geomType === LINE,
      line({ colour: ground.water, width: 3 }),
    ),
    onGround(kind("path"), line({ colour: ground.path, width: 1, dash: [4, 3], cap: "butt" }), 16),
    onGround(kind("road"), line({ colour: ground["road-casing"], width: roadWidth(2) }), 14),
    onGround(kind("road"), line({ colour: ground.road, width: roadWidth(0) })),
    onGround(kind("building"), fill({ colour: ground.other, edge: ground["other-edge"] }), 15),
    onGround(kind("wall"), line({ colour: ground.wall, width: 1 }), 16),
  ];
}

/** All paint rules for the state of this moment. */
export function paintRules(config, state) {
  const { ground, palette, sequential } = config.symbols;
  const latitude = config.bounds[0][0];
  const wide = (phone.matches ? 0.75 : 0) + (config.basemap.pictures ? 0.5 : 0);
  const casing = config.basemap.pictures ? 5 : 2.8;
  const shows = (layer) => state.layers.has(layer);
  const figure = config.figures?.find((one) => one.code === state.figure);
  // A figure that this person may not see is missing in the tile: no class and no colour, rather than zero.
  const classIndex = (feature) =>
    feature.props[figure.code] == null ? -1 : classOf(feature.props[figure.code], figure.breaks);
  const colours = figure && classColours(figure.breaks, sequential);
  const [chosenKind, chosenId] = (state.selected ?? "").split("/");
  const chosen = (kind) => (zoom, feature) => kind === chosenKind && String(feature.props.id) === chosenId;
  const rules = [];
  const rule = (source, symbolizer, more = {}) =>
    rules.push({ dataSource: source, dataLayer: source, symbolizer, ...more });

  if (!config.basemap.pictures) rule("communities", fill({ colour: ground.community }));
  if (shows("ground") && config.basemap.drawn) rules.push(...groundRules(config, latitude));
  if (figure) {
    rule("grids", fill({ colour: (feature) => colours[classIndex(feature)], opacity: config.symbols.ramp_opacity }));
    if (state.printing) rule("grids", hatched(classIndex));
  }
  if (shows("buildings")) {
    const residential = (zoom, feature) => feature.props.kind === "residential";
    const rest = (zoom, feature) => feature.props.kind !== "residential";
    const veil = figure || config.basemap.pictures;
    rule("buildings", fill({ colour: veil ? "rgba(255,255,255,.35)" : ground.other }), { minzoom: 15, filter: rest });
    rule(
      "buildings",
      fill({ colour: veil ? "rgba(255,255,255,.6)" : ground.residential, edge: ground["residential-edge"] }),
      { minzoom: 14, filter: residential },
    );
    rule("buildings", fill({ colour: palette["brand-light"], edge: palette["brand-dark"], width: 2.5 }), {
      filter: chosen("buildings"),
    });
  }
  rule("grids", fill({ colour: palette.brand, opacity: 0.13 }), { filter: chosen("grids") });
  if (shows("grids")) {
    const width = (figure ? 1.3 : 1.6) + wide;
    rule("grids", line({ colour: "rgba(255,255,255,.9)", width: width + casing }), { minzoom: 13 });
    rule("grids", line({ colour: figure ? ground["grid-line-thematic"] : ground["grid-line"], width }), { minzoom: 13 });
    rule("communities", line({ colour: "rgba(255,255,255,.95)", width: 3 + wide + casing }));
    rule("communities", line({ colour: ground["community-line"], width: 3 + wide }));
  }
  rule("grids", line({ colour: "rgba(255,255,255,.95)", width: 4 + wide + casing }), { filter: chosen("grids") });
  rule("grids", line({ colour: ground["grid-line"], width: 4 + wide }), { filter: chosen("grids") });
  if (shows("incidents")) rules.push(...markRules(config, state, chosen("incidents")));
  return rules;
}

function markRules(config, state, chosen) {
  const mark = (selected) => ({
    draw(ctx, geom, zoom, feature) {
      ctx.save();
      ctx.translate(geom[0][0].x, geom[0][0].y);
      ctx.scale(grain.scale, grain.scale);
      drawMark(ctx, feature.props, zoom, config.symbols, { selected });
      ctx.restore();
    },
  });
  const rule = (symbolizer, filter) => ({ dataSource: "incidents", dataLayer: "incidents", symbolizer, filter });
  return [rule(mark(false), (zoom, feature) => !chosen(zoom, feature)), rule(mark(true), chosen)];
}
