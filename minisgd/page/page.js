// What all pages share: what the reader has chosen, the colours of the scheme, charts, tables.
"use strict";

const byId = (id) => document.getElementById(id);
const darkScheme = matchMedia("(prefers-color-scheme: dark)");
let DATA = JSON.parse(byId("data").textContent);

// ---- what the reader has chosen stands in the address, after "#", and survives a renewal

const chosen = new URLSearchParams(location.hash.slice(1));

function remember(name, value, usual) {
  if (chosen.get(name) === (value === usual ? null : value)) return; // a browser limits the calls below
  if (value === usual) chosen.delete(name);
  else chosen.set(name, value);
  history.replaceState(null, "", "#" + chosen);
}

// The places of the page are no choices: go there without writing them into the address.
document.addEventListener("click", (event) => {
  const link = event.target.closest('a[href^="#"]');
  if (!link) return;
  event.preventDefault();
  const place = byId(link.getAttribute("href").slice(1));
  place.scrollIntoView();
  place.tabIndex = -1;
  place.focus({ preventScroll: true });
});

// ---- elements: text is set as text, never as HTML

function make(name, text, attributes = {}) {
  const element = document.createElement(name);
  if (text !== undefined) element.textContent = text;
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  return element;
}

function tableOf(head, rows, label) {
  const table = make("table");
  table.append(make("caption", label));
  const line = make("tr");
  line.append(...head.map((text) => make("th", text, { scope: "col" })));
  const top = make("thead");
  top.append(line);
  const body = make("tbody");
  for (const cells of rows) {
    const row = make("tr");
    row.append(...cells.map((cell) => (cell instanceof Node ? cell : make("td", cell))));
    body.append(row);
  }
  table.append(top, body);
  const wide = make("div", undefined, { class: "wide", tabindex: 0, role: "region", "aria-label": label });
  wide.append(table);
  return wide;
}

// ---- charts

const style = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const ofScheme = ([light, dark]) => (darkScheme.matches ? dark : light);

function schemeConfig() {
  const [ink, faint, grid] = ["--ink", "--faint", "--grid"].map(style);
  const size = parseFloat(getComputedStyle(document.documentElement).fontSize);
  const text = { labelColor: ink, titleColor: ink, labelFontSize: size * 0.78, titleFontSize: size * 0.82,
                 titleFontWeight: "normal" };
  return {
    background: null, font: "system-ui, sans-serif", view: { stroke: null },
    axis: { ...text, gridColor: grid, domainColor: faint, tickColor: faint, labelOverlap: true },
    legend: { ...text, rowPadding: 3, columnPadding: 16, symbolStrokeWidth: 2 },
    style: { cell: { stroke: null } },
  };
}

// The names of the scheme's own colours in a spec become colours.
function coloured(spec) {
  const names = { ink: style("--ink"), paper: style("--card"), grey: style("--faint") };
  return JSON.parse(JSON.stringify(spec), (key, value) =>
    ["color", "fill", "value"].includes(key) && Object.hasOwn(names, value) ? names[value] : value);
}

const widthOf = (host) => Math.max(220, host.clientWidth);
const redraws = new Map(); // host -> the function that draws it again, in another width or scheme

// Draw a spec into a host, one after the other, and keep the page from jumping meanwhile.
function draw(host, spec, points, after) {
  host.queue = (host.queue ?? Promise.resolve()).then(async () => {
    host.style.minHeight = `${host.offsetHeight}px`;
    host.shown?.finalize();
    host.shown = await vegaEmbed(host, { ...coloured(spec), datasets: { points } }, {
      mode: "vega-lite", actions: false, renderer: "svg", ast: true, config: schemeConfig(),
      tooltip: { theme: darkScheme.matches ? "dark" : "light" },
    });
    host.style.minHeight = "";
    after?.(host.shown.view);
    host.dataset.drawn = Number(host.dataset.drawn ?? 0) + 1;
  });
  return host.queue;
}

const fitted = (spec, host, height) => ({
  ...spec, width: widthOf(host), height, autosize: { type: "fit-x", contains: "padding" } });

// As many columns of a legend as fit.
function columnsFor(labels, host) {
  const size = parseFloat(getComputedStyle(document.documentElement).fontSize);
  const longest = Math.max(...labels.map((label) => label.length), 1);
  return Math.max(1, Math.floor(widthOf(host) / (longest * size * 0.43 + 48)));
}

const SHAPES = ["circle", "square", "triangle-up", "diamond", "triangle-down", "cross", "triangle-right",
                "M0,-1L.24,-.32L.95,-.31L.38,.12L.59,.81L0,.4L-.59,.81L-.38,.12L-.95,-.31L-.24,-.32Z"];
const DASHES = [[1, 0], [5, 2], [1.5, 2], [6, 2, 1.5, 2], [6, 1.5, 1.5, 1.5, 1.5, 1.5],
                [10, 3], [1.5, 5], [12, 2, 4, 2]];
// A line without a marker has its dash in the legend, which shows nothing but markers by itself.
const STROKE = "M-2.4,0L2.4,0";
const around = (list, place) => list[((place % list.length) + list.length) % list.length];

// Draw every name as its look says, in all layers of a spec: {name, colour, mark, dash} of colours.py.
function dress(spec, looks, host) {
  const domain = looks.map(({ name }) => name);
  const ranges = {
    color: looks.map(({ colour }) => ofScheme(colour)),
    shape: looks.map(({ mark }) => (mark === null ? STROKE : around(SHAPES, mark))),
    strokeDash: looks.map(({ dash }) => DASHES[dash]),
  };
  for (const { encoding } of [spec, ...spec.layer])
    for (const [channel, range] of Object.entries(ranges)) {
      if (!encoding?.[channel]?.scale) continue;
      encoding[channel].scale = { domain, range };
      const { legend } = encoding[channel];
      if (legend) Object.assign(legend, { columns: columnsFor(domain, host), labelOffset: 10 });
    }
}

let resizing;
let lastWidth = innerWidth;
function redrawAll() {
  for (const again of redraws.values()) again();
}
addEventListener("resize", () => {
  if (innerWidth === lastWidth) return; // a phone's address bar changes the height only
  lastWidth = innerWidth;
  clearTimeout(resizing);
  resizing = setTimeout(redrawAll, 150);
});
darkScheme.addEventListener("change", redrawAll);

// ---- tables that can be sorted: a button in the head sorts, and sorts the other way

function sortTable(table, column, downwards) {
  const value = (row) => row.cells[column].dataset.value ?? row.cells[column].textContent;
  const rows = [...table.tBodies[0].rows];
  const numbers = rows.every((row) => value(row) !== "" && !Number.isNaN(Number(value(row))));
  const compare = numbers
    ? (a, b) => Number(value(a)) - Number(value(b))
    : (a, b) => value(a).localeCompare(value(b), "en", { numeric: true });
  rows.sort((a, b) => (downwards ? compare(b, a) : compare(a, b)));
  table.tBodies[0].append(...rows);
  for (const [place, head] of [...table.tHead.rows[0].cells].entries())
    if (place === column) head.setAttribute("aria-sort", downwards ? "descending" : "ascending");
    else head.removeAttribute("aria-sort");
}

document.addEventListener("click", (event) => {
  const head = event.target.closest("table[data-sortable] thead th");
  if (head)
    sortTable(head.closest("table"), head.cellIndex, head.getAttribute("aria-sort") === "ascending");
});

document.addEventListener("click", (event) => {
  const button = event.target.closest("button[data-unfold]");
  if (!button) return;
  const parts = document.querySelectorAll(`#${button.dataset.unfold} details`);
  const open = ![...parts].every((part) => part.open);
  for (const part of parts) part.open = open;
});
