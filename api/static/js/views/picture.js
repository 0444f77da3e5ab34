// A view: layers of GeoJSON on a Leaflet map, names, a time slider, the sheet of paper, and the picture as PNG.
// This file imports nothing: it also stands inside a file that is opened without a network.
/* global L */

const SVG = "http://www.w3.org/2000/svg";
const HATCH_STEPS = [0, 18, 12, 8, 5];
const INK = "#18212B";
const QUIET = "#465362";
const LABELS = {
  community: { size: 16, bold: true, colour: "#084F50", halo: 4, zoom: 0 },
  grid: { size: 14, bold: true, colour: "#084F50", halo: 4, zoom: 0 },
  part: { size: 14, bold: true, colour: "#084F50", halo: 4, zoom: 15 },
  building: { size: 11, bold: false, colour: "#4E4942", halo: 2.5, zoom: 17 },
};
// A4 landscape at 96 dpi, less the margins, the head and the legend; less again where there is a time slider.
const SHEET = { width: 1047, height: 540, below: 75 };
// A picture has the same size whatever the window's.
const PNG = { width: 1200, height: 760 };

/** Called by the script that folium writes. */
export function start(map, config) {
  const container = map.getContainer();
  container.style.backgroundColor = config.outside;
  container.setAttribute("role", "region");
  container.setAttribute("aria-label", config.words.map);
  map.setMinZoom(9).setMaxZoom(21);
  map.options.zoomSnap = 0.25;
  if (matchMedia("(prefers-reduced-motion: reduce)").matches) map.options.zoomAnimation = map.options.fadeAnimation = false;
  const fit = () => map.fitBounds(config.bounds, { padding: [20, 20], animate: false });
  fit();
  const scene = draw(map, config);
  const labels = name(map, config.labels);
  const bar = scaleBar(map, config.words);
  const steps = config.steps && slide(config, scene, labels);
  map.on("zoomend", () => scene.rescale());
  map.on("moveend", () => {
    labels.place();
    bar();
  });
  labels.place();
  bar();
  bindPaper(map, container, scene, { fit, labels });
  bindButtons(map, config, { fit, scene, labels, steps });
  container.dataset.ready = "true";
}

/* ---- layers ---- */

const metre = (map) => {
  const [latitude, zoom] = [map.getCenter().lat, map.getZoom()];
  return (256 * 2 ** zoom) / (40075016.686 * Math.cos((latitude * Math.PI) / 180));
};

/** A mark with the shape of a state: a square for what is new, else a disc, a ring, or a small one. */
const Mark = L.CircleMarker.extend({
  _updatePath() {
    if (!this._renderer) return;
    if (this.options.mark !== "square") {
      this._renderer._updateCircle(this);
      return;
    }
    const { x, y } = this._point;
    const half = Math.round(this._radius * 0.95);
    this._renderer._setPath(this, `M${x - half} ${y - half}h${2 * half}v${2 * half}h${-2 * half}z`);
  },
});

function pathStyle(style, lineWidth) {
  return {
    stroke: Boolean(style.stroke) && style.width !== 0,
    color: style.stroke ?? "none",
    weight: lineWidth ?? style.width,
    opacity: 1,
    fill: Boolean(style.fill),
    fillColor: style.fill ?? "none",
    fillOpacity: style.opacity,
    dashArray: style.dash || null,
    lineCap: style.dash ? "butt" : "round",
    lineJoin: "round",
    interactive: false,
    bubblingMouseEvents: false,
  };
}

function draw(map, config) {
  const wide = []; // roads in their true width
  const drawn = []; // { feature, layer, styles }
  config.layers.forEach((layer, place) => {
    const pane = map.createPane(`w-${place}`);
    pane.style.zIndex = String(400 + place);
    pane.style.pointerEvents = "none";
    const renderer = L.svg({ pane: `w-${place}`, padding: 0.4 });
    for (const feature of layer.features) {
      const style = layer.styles[feature.c];
      const options = { ...pathStyle(style), renderer, pane: `w-${place}` };
      let made;
      if (layer.kind === "mark" || layer.kind === "count") {
        const [lon, lat] = feature.g.coordinates;
        made = new Mark([lat, lon], { ...options, radius: feature.r ?? style.size, mark: style.shape, opacity: 1 });
      } else {
        made = L.geoJson(feature.g, { style: options, renderer, pane: `w-${place}` });
        if (layer.kind === "line") made.setStyle({ fill: false });
      }
      if (feature.t) tip(made, feature.t, pane);
      made.addTo(map);
      drawn.push({ feature, made, style });
      if (style.width < 0) wide.push({ made, metres: feature.m ?? 6 });
    }
  });
  const scene = {
    drawn,
    rescale() {
      const scale = metre(map);
      for (const { made, metres } of wide) made.setStyle({ weight: Math.max(1.5, metres * scale) });
    },
    /** On paper each class has its own density of hatching, so that a black-and-white copier keeps them apart. */
    hatch(on) {
      for (const { made, style } of drawn) {
        if (!style.hatch) continue;
        each(made, (path) => {
          const svg = path._path?.ownerSVGElement;
          if (!svg) return;
          path._path.setAttribute("fill", on ? `url(#${pattern(svg, style)})` : style.fill);
        });
      }
      for (const sample of document.querySelectorAll(".picture-legend [data-hatch]")) {
        const style = { hatch: Number(sample.dataset.hatch), fill: sample.dataset.fill ?? sample.getAttribute("fill") };
        sample.dataset.fill = style.fill;
        sample.setAttribute("fill", on ? `url(#${pattern(sample.ownerSVGElement, style)})` : style.fill);
      }
    },
  };
  scene.rescale();
  return scene;
}

const each = (made, run) => (made.eachLayer ? made.eachLayer((layer) => each(layer, run)) : run(made));

function tip(made, text, pane) {
  pane.style.pointerEvents = "auto";
  each(made, (layer) => {
    layer.options.interactive = true;
    layer.options.bubblingMouseEvents = true;
  });
  const box = document.createElement("span");
  box.textContent = text;
  made.bindTooltip(box, { sticky: true, className: "picture-tip", opacity: 1 });
}

function pattern(svg, style) {
  const id = `hatch-${style.hatch}-${style.fill.slice(1)}`;
  if (svg.querySelector(`#${id}`)) return id;
  const step = HATCH_STEPS[style.hatch];
  const make = (kind, attributes) => {
    const element = document.createElementNS(SVG, kind);
    for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
    return element;
  };
  const found = make("pattern", { id, width: step, height: step, patternUnits: "userSpaceOnUse" });
  found.append(
    make("rect", { width: step, height: step, fill: style.fill }),
    make("path", {
      d: `M0 ${step}L${step} 0M${-step} ${step}L${step} ${-step}M0 ${2 * step}L${2 * step} 0`,
      stroke: INK, "stroke-opacity": 0.6, "stroke-width": 0.9, fill: "none",
    }),
  );
  svg.prepend(found);
  return id;
}

/* ---- names ---- */

function name(map, labels) {
  const pane = map.createPane("w-names");
  pane.style.zIndex = "640";
  pane.style.pointerEvents = "none";
  const measure = document.createElement("canvas").getContext("2d");
  const made = labels.map(({ at, t, k }) => {
    const look = LABELS[k];
    measure.font = `${look.bold ? 700 : 400} ${look.size}px sans-serif`;
    const element = document.createElement("span");
    element.className = `picture-name picture-name-${k}`;
    element.textContent = t;
    pane.append(element);
    return { at, text: t, look, element, wide: measure.measureText(t).width + 6, high: look.size + 4 };
  });
  return {
    made,
    /** Names where there is room: what comes first keeps its place, the next ones give way. */
    place() {
      const taken = [];
      const view = map.getBounds().pad(0.05);
      for (const one of made) {
        const { x, y } = map.latLngToContainerPoint(one.at);
        const box = [x - one.wide / 2, y - one.high / 2, x + one.wide / 2, y + one.high / 2];
        const fits =
          map.getZoom() >= one.look.zoom && view.contains(one.at) &&
          !taken.some((other) => box[0] < other[2] && box[2] > other[0] && box[1] < other[3] && box[3] > other[1]);
        one.shown = fits;
        one.element.hidden = !fits;
        if (!fits) continue;
        taken.push(box);
        const point = map.latLngToLayerPoint(one.at);
        L.DomUtil.setPosition(one.element, point);
      }
    },
  };
}

function scaleBar(map, words) {
  const bar = document.querySelector(".picture-scale");
  return () => {
    if (!bar) return;
    const perPixel = 1 / metre(map);
    const most = 110 * perPixel;
    const power = 10 ** Math.floor(Math.log10(most));
    const length = [5, 2, 1].map((factor) => factor * power).find((one) => one <= most);
    const text = length < 1000
      ? words.metres.replace("{value}", length)
      : words.kilometres.replace("{value}", length / 1000);
    bar.querySelector("span").textContent = text;
    bar.querySelector("i").style.inlineSize = `${length / perPixel}px`;
    bar.dataset.pixels = length / perPixel;
  };
}

/* ---- time ---- */

function slide(config, scene) {
  const box = document.querySelector(".picture-time");
  const { steps, words } = config;
  const input = box.querySelector("input");
  const label = box.querySelector("[data-step]");
  const count = box.querySelector("[data-count]");
  const button = box.querySelector("button");
  const bars = box.querySelector(".picture-bars");
  const highest = Math.max(1, ...steps.counts);
  const columns = steps.counts.map((value) => {
    const column = document.createElement("i");
    column.style.blockSize = `${Math.round((100 * value) / highest)}%`;
    bars.append(column);
    return column;
  });
  let timer = 0;

  function show(step) {
    for (const { feature, made } of scene.drawn) {
      if (feature.a === undefined && !feature.s) continue;
      const shade = feature.s ? feature.s[step] : Number(feature.a <= step && step < feature.b);
      each(made, (layer) => {
        if (layer._path) layer._path.style.display = shade ? "" : "none";
        if (feature.s && shade) layer.setStyle({ fillColor: feature.f[shade - 1] });
      });
    }
    input.value = String(step);
    input.setAttribute("aria-valuetext", steps.labels[step]);
    label.textContent = steps.labels[step];
    const there = steps.counts[step];
    const says = there === 1 ? steps.one : steps.says;
    count.textContent = says.replace("{count}", there.toLocaleString(document.documentElement.lang));
    columns.forEach((column, place) => column.classList.toggle("is-now", place === step));
  }

  function play(on) {
    clearInterval(timer);
    timer = 0;
    button.setAttribute("aria-pressed", String(on));
    button.setAttribute("aria-label", on ? words.pause : words.play);
    if (!on) return;
    if (Number(input.value) >= steps.labels.length - 1) show(0);
    timer = setInterval(() => {
      const next = Number(input.value) + 1;
      if (next >= steps.labels.length) play(false);
      else show(next);
    }, 700);
  }

  input.max = String(steps.labels.length - 1);
  input.addEventListener("input", () => {
    play(false);
    show(Number(input.value));
  });
  button.addEventListener("click", () => play(!timer));
  play(false); // it does not start by itself
  show(steps.start);
  return { label };
}

/* ---- paper ---- */

function bindPaper(map, container, scene, { fit, labels }) {
  let view = null;
  addEventListener("beforeprint", () => {
    view = { centre: map.getCenter(), zoom: map.getZoom() };
    document.body.classList.add("is-paper");
    container.style.inlineSize = `${SHEET.width}px`;
    container.style.blockSize = `${SHEET.height - (document.querySelector(".picture-time") ? SHEET.below : 0)}px`;
    map.invalidateSize({ pan: false });
    fit();
    labels.place();
    scene.hatch(true);
  });
  addEventListener("afterprint", () => {
    document.body.classList.remove("is-paper");
    container.style.inlineSize = container.style.blockSize = "";
    map.invalidateSize({ pan: false });
    scene.hatch(false);
    if (view) map.setView(view.centre, view.zoom, { animate: false });
    labels.place();
  });
}

function bindButtons(map, config, { fit, labels, steps }) {
  const press = (action, run) => {
    for (const button of document.querySelectorAll(`[data-picture="${action}"]`)) button.addEventListener("click", run);
  };
  press("in", () => map.zoomIn(1));
  press("out", () => map.zoomOut(1));
  press("whole", fit);
  press("print", () => window.print());
  press("png", async () => {
    const container = map.getContainer();
    const [centre, zoom, wide] = [map.getCenter(), map.getZoom(), map.getSize().x];
    // Who sees the whole area gets it as large as the picture allows; who looked closer gets what was seen.
    const whole = map.getBounds().contains(config.bounds);
    container.style.inlineSize = `${PNG.width}px`;
    container.style.blockSize = `${PNG.height}px`;
    map.invalidateSize({ pan: false });
    if (whole) fit();
    else map.setView(centre, zoom + Math.floor(4 * Math.log2(PNG.width / wide)) / 4, { animate: false });
    labels.place();
    const blob = await paint(map, config, labels, steps);
    container.style.inlineSize = container.style.blockSize = "";
    map.invalidateSize({ pan: false });
    map.setView(centre, zoom, { animate: false });
    const link = document.createElement("a");
    link.href = URL.createObjectURL(blob);
    link.download = `${document.querySelector("[data-file]")?.dataset.file ?? config.code}.png`;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10000);
  });
}

/* ---- PNG: the layers as they are, then names, title, legend and source, on one canvas ---- */

const FONT = '"PingFang SC", "HarmonyOS Sans SC", "Microsoft YaHei", "Noto Sans CJK SC", sans-serif';

async function paint(map, config, labels, steps) {
  const size = map.getSize();
  const scale = 2;
  const edge = 24;
  const text = (selector) => document.querySelector(selector)?.innerText.trim() ?? "";
  const canvas = document.createElement("canvas");
  const ctx = canvas.getContext("2d");
  ctx.font = `16px ${FONT}`;
  const sentence = wrap(ctx, text("[data-sentence]"), size.x);
  const period = [text("[data-period]"), steps?.label.textContent].filter(Boolean).join("  ");
  const entries = [...document.querySelectorAll(".picture-legend li")];
  ctx.font = `13px ${FONT}`;
  const legend = rows(ctx, entries, size.x);
  const notes = [...document.querySelectorAll(".picture-left-out")].map((note) => note.innerText.trim());
  const foot = [...notes, text("[data-source]")].flatMap((line) => wrap(ctx, line, size.x));
  const head = edge + 34 + sentence.length * 26 + 24;
  const height = head + size.y + 14 + legend.length * 24 + foot.length * 18 + edge;
  canvas.width = (size.x + 2 * edge) * scale;
  canvas.height = height * scale;
  ctx.scale(scale, scale);
  ctx.fillStyle = "#FFFFFF";
  ctx.fillRect(0, 0, canvas.width, canvas.height);
  const write = (words, x, y, font, colour) => {
    ctx.font = `${font} ${FONT}`;
    ctx.fillStyle = colour;
    ctx.textBaseline = "top";
    ctx.fillText(words, x, y);
  };
  write(text("[data-title]"), edge, edge, "700 20px", INK);
  sentence.forEach((line, place) => write(line, edge, edge + 34 + place * 26, "16px", INK));
  write(period, edge, edge + 34 + sentence.length * 26, "13px", QUIET);

  ctx.save();
  ctx.translate(edge, head);
  ctx.beginPath();
  ctx.rect(0, 0, size.x, size.y);
  ctx.clip();
  ctx.fillStyle = config.outside;
  ctx.fillRect(0, 0, size.x, size.y);
  await layersOnto(ctx, map);
  for (const one of labels.made.filter(({ shown }) => shown)) {
    const { x, y } = map.latLngToContainerPoint(one.at);
    ctx.font = `${one.look.bold ? 700 : 400} ${one.look.size}px ${FONT}`;
    ctx.textAlign = "center";
    ctx.textBaseline = "middle";
    ctx.lineWidth = one.look.halo;
    ctx.lineJoin = "round";
    ctx.strokeStyle = "#FFFFFF";
    ctx.strokeText(one.text, x, y);
    ctx.fillStyle = one.look.colour;
    ctx.fillText(one.text, x, y);
  }
  ctx.textAlign = "left";
  scaleOnto(ctx, size);
  ctx.restore();
  ctx.strokeStyle = "#5F6B7A";
  ctx.lineWidth = 0.5;
  ctx.strokeRect(edge, head, size.x, size.y);

  let y = head + size.y + 14;
  for (const row of legend) {
    for (const { x, sample, words } of row) {
      await sampleOnto(ctx, sample, edge + x, y);
      write(words, edge + x + 30, y + 2, "13px", INK);
    }
    y += 24;
  }
  foot.forEach((line, place) => write(line, edge, y + place * 18, "12px", QUIET));
  return new Promise((done) => canvas.toBlob(done, "image/png"));
}

async function layersOnto(ctx, map) {
  const frame = map.getContainer().getBoundingClientRect();
  const panes = Object.entries(map.getPanes()).filter(([key]) => key.startsWith("w-"));
  for (const [, pane] of panes.sort(([, a], [, b]) => Number(a.style.zIndex) - Number(b.style.zIndex))) {
    for (const svg of pane.querySelectorAll("svg")) {
      const box = svg.getBoundingClientRect();
      const copy = svg.cloneNode(true);
      copy.removeAttribute("style");
      copy.setAttribute("xmlns", SVG);
      ctx.drawImage(await pictureOf(copy), box.left - frame.left, box.top - frame.top, box.width, box.height);
    }
  }
}

async function sampleOnto(ctx, sample, x, y) {
  const copy = sample.cloneNode(true);
  copy.setAttribute("xmlns", SVG);
  ctx.drawImage(await pictureOf(copy), x, y, 22, 18);
}

/** An SVG as a picture; twice as large, so that it stays sharp. */
async function pictureOf(svg) {
  for (const key of ["width", "height"]) svg.setAttribute(key, String(2 * Number.parseFloat(svg.getAttribute(key))));
  const image = new Image();
  image.src = `data:image/svg+xml;charset=utf-8,${encodeURIComponent(new XMLSerializer().serializeToString(svg))}`;
  await image.decode();
  return image;
}

function scaleOnto(ctx, size) {
  const bar = document.querySelector(".picture-scale");
  const wide = Number(bar?.dataset.pixels);
  if (!wide) return;
  const [x, y] = [size.x - wide - 18, size.y - 18];
  ctx.fillStyle = "rgba(255,255,255,.8)";
  ctx.fillRect(x - 8, y - 22, wide + 16, 34);
  ctx.fillStyle = INK;
  ctx.font = `12px ${FONT}`;
  ctx.textBaseline = "top";
  ctx.fillText(bar.querySelector("span").textContent, x, y - 17);
  ctx.strokeStyle = INK;
  ctx.lineWidth = 1.5;
  ctx.beginPath();
  ctx.moveTo(x, y + 1);
  ctx.lineTo(x, y + 6);
  ctx.lineTo(x + wide, y + 6);
  ctx.lineTo(x + wide, y + 1);
  ctx.stroke();
}

function rows(ctx, entries, wide) {
  const found = [[]];
  let x = 0;
  for (const entry of entries) {
    const words = entry.innerText.trim();
    const needs = 30 + ctx.measureText(words).width + 22;
    if (x && x + needs > wide) {
      found.push([]);
      x = 0;
    }
    found.at(-1).push({ x, words, sample: entry.querySelector("svg") });
    x += needs;
  }
  return found;
}

/** Text in lines: broken between words, or between Chinese characters. */
function wrap(ctx, text, wide) {
  const lines = [];
  for (const paragraph of text.split("\n")) {
    let line = "";
    for (const piece of paragraph.match(/[\u3000-\u9fff\uff00-\uffef]|[^\s\u3000-\u9fff\uff00-\uffef]+\s*|\s+/g) ?? []) {
      if (line && ctx.measureText(line + piece).width > wide) {
        lines.push(line.trimEnd());
        line = "";
      }
      line += piece;
    }
    lines.push(line);
  }
  return lines;
}
