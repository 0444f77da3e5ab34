// Incident marks: colour, shape and icon by state; counts where there are too many to show one by one.

import { phone } from "../dom.js";
import { grain } from "./grain.js";
import { drawIcon } from "./icons.js";

const FINGER = 1.3;
const enlarged = () => (phone.matches ? FINGER : 1);

/** The width in pixels of a mark at a zoom: counts by area, single marks by zoom (look: points by zoom). */
export function markSize(props, zoom, states) {
  const many = props.count > 1;
  // The cells that cases gather in are 40 pixels of a tile: larger counts, also for fingers, would cover each other.
  if (many) return Math.min(40, Math.max(phone.matches ? 30 : 26, Math.sqrt(props.count) * 7)) / grain.scale;
  if (zoom < 17) return 18 * enlarged();
  const small = states[props.state]?.shape === "small";
  return (zoom >= 18 ? (small ? 14 : 24) : small ? 12 : 18) * enlarged();
}

/** How far from the centre a click still means this mark: half of it, at least 12 px (22 px by finger). */
export const reach = (states) => (feature, zoom) =>
  Math.max(markSize(feature.props, zoom, states) / 2 + 2, phone.matches ? 22 : 12);

function outline(ctx, shape, size) {
  ctx.beginPath();
  if (shape === "square") ctx.roundRect(-size / 2, -size / 2, size, size, size * 0.2);
  else ctx.arc(0, 0, size / 2, 0, 2 * Math.PI);
}

function drawCount(ctx, props, size, symbols) {
  const { palette } = symbols;
  outline(ctx, "disc", size + 4);
  ctx.fillStyle = "rgba(255,255,255,.9)";
  ctx.fill();
  outline(ctx, "disc", size);
  ctx.fillStyle = palette.brand;
  ctx.fill();
  ctx.fillStyle = "#FFFFFF";
  ctx.font = `700 ${size > 34 ? 15 : size < 24 ? 12 : 13}px ${symbols.font}`;
  ctx.textAlign = "center";
  ctx.textBaseline = "middle";
  ctx.fillText(String(props.count), 0, 0.5);
  if (props.overdue) drawBadge(ctx, size * 0.4, -size * 0.4, "!", palette["act-now"], symbols.font);
}

function drawBadge(ctx, x, y, text, colour, font) {
  ctx.font = `700 11px ${font}`;
  const width = Math.max(16, ctx.measureText(text).width + 8);
  ctx.beginPath();
  ctx.roundRect(x - width / 2 - 1.5, y - 9.5, width + 3, 19, 9.5);
  ctx.fillStyle = "#FFFFFF";
  ctx.fill();
  ctx.beginPath();
  ctx.roundRect(x - width / 2, y - 8, width, 16, 8);
  ctx.fillStyle = colour;
  ctx.fill();
  ctx.fillStyle = "#FFFFFF";
  ctx.textAlign = "center";
  ctx.textBaseline = "middle";
  ctx.fillText(text, x, y + 0.5);
}

/** Draw the mark of one feature centred on the origin of `ctx`. */
export function drawMark(ctx, props, zoom, symbols, { selected = false } = {}) {
  const size = markSize(props, zoom, symbols.states);
  ctx.globalAlpha = 1;
  if (props.count > 1) return drawCount(ctx, props, size, symbols);
  const state = symbols.states[props.state] ?? symbols.states.on_hold;
  const round = state.shape === "square" ? "square" : "disc";
  if (selected) {
    outline(ctx, round, size + 12);
    ctx.fillStyle = symbols.palette["ink-1"];
    ctx.fill();
    outline(ctx, round, size + 6);
    ctx.fillStyle = "#FFFFFF";
    ctx.fill();
  } else {
    ctx.save();
    ctx.shadowColor = "rgba(24,33,43,.25)";
    ctx.shadowBlur = 3;
    ctx.shadowOffsetY = 1;
    outline(ctx, round, state.shape === "square" ? size + 3 : size + 1.5);
    ctx.fillStyle = "#FFFFFF";
    ctx.fill();
    ctx.restore();
  }
  outline(ctx, round, size);
  ctx.fillStyle = state.fill;
  ctx.fill();
  if (state.shape !== "square") {
    outline(ctx, round, size - 1.5);
    ctx.strokeStyle = state.ring;
    ctx.lineWidth = state.shape === "small" ? 1.5 : 2;
    ctx.stroke();
  }
  const large = zoom >= 18 || state.shape === "small";
  if (large) {
    const name = state.sign || props.icon;
    drawIcon(ctx, name, 0, 0, state.shape === "small" ? size * 0.7 : size * 0.62, state.icon, 2);
  }
  if (props.together > 1) {
    drawBadge(ctx, size * 0.55, -size * 0.5, String(props.together), symbols.palette["ink-1"], symbols.font);
  }
}

const URGENCY = ["new", "in_progress", "to_verify", "on_hold", "declined", "closed"];
const urgency = (props) => (props.overdue ? -1 : URGENCY.indexOf(props.state));

/** Least urgent first, so that what someone must act on lies on top. */
export const byUrgency = (a, b) => urgency(b.props) - urgency(a.props);

/**
 * Several cases on one spot (the corridor lights of one building) become one mark: the most urgent one with the number
 * beside it and the ids of all, so that none hides below another.
 */
export function together(tile) {
  const spots = new Map();
  for (const feature of tile.get("incidents") ?? []) {
    const [point] = feature.geom[0];
    const key = `${Math.round(point.x)}:${Math.round(point.y)}`;
    spots.set(key, [...(spots.get(key) ?? []), feature]);
  }
  const marks = [...spots.values()]
    .map((group) => {
      if (group.length === 1) return group[0];
      group.sort((a, b) => urgency(a.props) - urgency(b.props));
      const ids = group.map((feature) => feature.props.id);
      return { ...group[0], props: { ...group[0].props, together: group.length, ids } };
    })
    .sort(byUrgency);
  tile.set("incidents", marks);
}
