// The charts of the dashboard. The tables beside them say the same, so the page is whole before these are drawn.

import { phone, still } from "./dom.js";
import { number } from "./words.js";

const STATIC = document.documentElement.dataset.static ?? "/static";
const style = getComputedStyle(document.documentElement);
const colour = (name) => style.getPropertyValue(`--w-${name}`).trim();
const INK = colour("ink-2");
const TEXT = { color: INK, fontFamily: colour("font"), fontSize: 12 };
const LINE = { lineStyle: { color: colour("line-2") } };

const common = {
  animation: !still.matches,
  textStyle: TEXT,
  // Tooltips are drawn on the canvas: the page's policy allows no styles that a script writes as text.
  tooltip: { renderMode: "richText", confine: true, textStyle: { ...TEXT, color: colour("ink-1") }, borderColor: colour("line") },
};

function steps({ labels, series }) {
  const looks = [
    { color: colour("brand"), lineStyle: { width: 2.5 }, symbol: "circle" },
    { color: colour("series-2"), lineStyle: { width: 2.5, type: "dashed" }, symbol: "rect" },
  ];
  return {
    ...common,
    tooltip: { ...common.tooltip, trigger: "axis", valueFormatter: number },
    legend: { top: 0, left: 0, itemWidth: 30, textStyle: TEXT },
    grid: { left: 8, right: 16, top: 36, bottom: 4, containLabel: true },
    xAxis: {
      type: "category", data: labels.map((label) => label.slice(5)), axisLine: LINE, axisTick: { show: false },
      axisLabel: { ...TEXT, hideOverlap: true },
    },
    yAxis: { type: "value", minInterval: 1, splitLine: LINE, axisLabel: { ...TEXT, formatter: number } },
    series: series.map(({ name, values }, place) => ({
      type: "line", name, data: values, symbolSize: 6, showSymbol: labels.length <= 31, ...looks[place],
    })),
  };
}

function kinds({ labels, values, unit }) {
  return {
    ...common,
    tooltip: { ...common.tooltip, valueFormatter: (value) => `${number(value)} ${unit}` },
    grid: { left: 8, right: 48, top: 4, bottom: 4, containLabel: true },
    xAxis: { type: "value", splitLine: LINE, axisLabel: { ...TEXT, formatter: number } },
    yAxis: {
      type: "category", inverse: true, data: labels, axisLine: LINE, axisTick: { show: false },
      axisLabel: { ...TEXT, width: phone.matches ? 110 : 190, overflow: "truncate" },
    },
    series: [{
      type: "bar", data: values, barMaxWidth: 14, itemStyle: { color: colour("brand-mid") },
      label: { show: true, position: "right", color: colour("ink-1"), formatter: ({ value }) => number(value) },
    }],
  };
}

const OPTIONS = { steps, kinds };

async function draw() {
  const places = [...document.querySelectorAll("[data-chart]")];
  if (!places.length) return;
  await import(`${STATIC}/vendor/echarts.min.js`);
  const { echarts } = globalThis;
  const data = JSON.parse(document.getElementById("charts").textContent);
  for (const place of places) {
    const found = data[place.dataset.chart];
    if (place.dataset.chart === "kinds") place.style.blockSize = `${Math.max(160, 26 * found.labels.length + 40)}px`;
    const chart = echarts.init(place, null, { renderer: "canvas", devicePixelRatio: Math.max(2, devicePixelRatio) });
    chart.setOption(OPTIONS[place.dataset.chart](found));
    chart.on("click", ({ seriesIndex, dataIndex }) => {
      location.assign((found.series?.[seriesIndex] ?? found).hrefs[dataIndex]);
    });
    const resize = () => chart.resize();
    new ResizeObserver(resize).observe(place);
    place.dataset.ready = "true";
  }
}

document.querySelector("[data-print]")?.addEventListener("click", () => window.print());
draw();
