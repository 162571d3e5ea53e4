// Replaces the static charts by ones that can be read off and zoomed. All charts share the
// horizontal axis: `view` is the range of steps that they show, `at` the step under the crosshair.
"use strict";
(() => {
const data = JSON.parse(document.getElementById("data").textContent);
if (!data) return;
const [FIRST, LAST] = data.range;
const LEFT = 58, RIGHT = 12, TOP = 8;
const HEIGHTS = { rate: 170, momentum: 130, loss: 290, validation: 300, accuracy: 250, error: 220, grad_norm: 200, clip_factor: 150 };
// Room for the labels of the horizontal axis; the rate borrows those of the momentum below it.
const BOTTOMS = { rate: 8, momentum: 42, loss: 42, validation: 42, accuracy: 42, error: 42, grad_norm: 42, clip_factor: 42 };
let view = [FIRST, LAST];
let at = null;

// Small tools.
const svgNode = (name, attributes, parent) => {
  const node = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  parent?.append(node);
  return node;
};
const htmlNode = (name, properties, parent) => {
  const node = Object.assign(document.createElement(name), properties);
  parent?.append(node);
  return node;
};
const clamp = (value, lo, hi) => Math.min(Math.max(value, lo), hi);
// Six significant digits with grouped thousands; powers of ten for the very large and small.
const number = (value, digits = 6) => {
  if (value === null || value === undefined) return "not finite";
  const size = Math.abs(value);
  if (size !== 0 && (size >= 1e9 || size < 1e-5)) return String(Number(value.toPrecision(4)));
  return Number(value.toPrecision(digits)).toLocaleString("en-US", { maximumFractionDigits: 9 });
};
// Index of the last element that is at most `x` (-1 if there is none); `xs` rises.
const lastAtMost = (xs, x) => {
  let lo = 0, hi = xs.length;
  while (lo < hi) {
    const middle = (lo + hi) >> 1;
    if (xs[middle] <= x) lo = middle + 1; else hi = middle;
  }
  return lo - 1;
};

// Multiples of 1, 2 or 5 times a power of ten between lo and hi.
const niceStep = (raw) => {
  const power = 10 ** Math.floor(Math.log10(raw));
  return [1, 2, 5, 10].find((factor) => factor * power >= raw * 0.999999) * power;
};
const tickLabel = (value, step, widest) => {
  if (Math.abs(value) < step * 1e-6) return "0";
  const exponent = Math.floor(Math.log10(step) + 1e-9);
  if (widest >= 1e7 || widest < 1e-3) {
    const own = Math.floor(Math.log10(Math.abs(value)) + 1e-9);
    return value.toExponential(clamp(own - exponent, 0, 16)).replace("e+", "e");
  }
  const decimals = clamp(-exponent, 0, 17);
  return value.toLocaleString("en-US", { minimumFractionDigits: decimals, maximumFractionDigits: decimals });
};
const linearTicks = (lo, hi, count, widen, whole = false) => {
  const step = Math.max(niceStep((hi - lo) / count), whole ? 1 : 0);
  const first = widen ? Math.floor(lo / step) : Math.ceil(lo / step);
  const last = widen ? Math.ceil(hi / step) : Math.floor(hi / step);
  const widest = Math.max(Math.abs(lo), Math.abs(hi));
  const ticks = [];
  for (let k = first; k <= last && ticks.length < 50; k++) ticks.push([k * step, tickLabel(k * step, step, widest)]);
  return widen ? [first * step, last * step, ticks] : [lo, hi, ticks];
};
const logTicks = (lo, hi, count) => {
  const decades = Math.log10(hi / lo);
  const within = decades < 1.2 ? [1, 2, 3, 5, 7] : decades < 2.5 ? [1, 2, 5] : [1];
  const every = Math.max(1, Math.ceil(decades / count));
  const ticks = [];
  for (let d = Math.floor(Math.log10(lo) / every) * every; d <= Math.ceil(Math.log10(hi)); d += every) {
    for (const m of within) {
      const value = m * 10 ** d;
      if (value < lo * 0.999999 || value > hi * 1.000001) continue;
      const label = value < 1e-3 || value >= 1e5 ? value.toExponential().replace("e+", "e") : number(value);
      ticks.push([value, label]);
    }
  }
  return [lo, hi, ticks.length > 1 ? ticks : linearTicks(lo, hi, count, false)[2]];
};

// The vertical axis that holds what is visible: [lo, hi, ticks].
const verticalAxis = (panel) => {
  let lo = Infinity, hi = -Infinity;
  for (const { x, y, back = [] } of panel.spec.series) {
    const from = Math.max(0, lastAtMost(x, view[0])), to = Math.min(x.length - 1, lastAtMost(x, view[1]) + 1);
    for (const edge of [y, back]) for (let i = from; i <= to && edge.length > 0; i++) {
      if (edge[i] === null || (panel.log && edge[i] <= 0)) continue;
      lo = Math.min(lo, edge[i]);
      hi = Math.max(hi, edge[i]);
    }
  }
  if (lo > hi) [lo, hi] = panel.log ? [0.1, 1] : [0, 1];
  const count = panel.height > 150 ? 5 : 3;
  if (panel.log) return hi > lo * 1.001 ? logTicks(lo, hi, count) : logTicks(lo / 2, hi * 2, count);
  // One value: from zero up (or down) to it.
  if (hi - lo <= Math.abs(hi) * 1e-6) [lo, hi] = hi === 0 ? [0, 1] : [Math.min(hi, 0), Math.max(hi, 0)];
  return linearTicks(lo, hi, count, true);
};

const tools = htmlNode("div", { className: "tools" });
const readout = htmlNode("output", {}, tools);
const button = (text, label, action) => {
  const node = htmlNode("button", { type: "button", textContent: text, onclick: action }, tools);
  node.setAttribute("aria-label", label);
  return node;
};
button("−", "Zoom out", () => zoom(2));
button("+", "Zoom in", () => zoom(0.5));
const reset = button("Whole run", "Show the whole run", () => show(FIRST, LAST));
const hint = htmlNode("p", { className: "hint soft", textContent:
  matchMedia("(pointer: coarse)").matches
    ? "Slide over a chart to read it; pinch or use the buttons to zoom."
    : "Drag over a chart to zoom, double-click for the whole run; Ctrl + wheel zooms too. Keys: arrows, + − 0." });

const panels = data.panels.map((spec) => {
  const host = document.querySelector(`[data-panel="${spec.id}"]`);
  const panel = { spec, host, log: spec.log, height: HEIGHTS[spec.id], bottom: HEIGHTS[spec.id] - BOTTOMS[spec.id] };
  host.classList.add("live");
  host.replaceChildren();
  const keys = htmlNode("div", { className: "keys" }, host);
  panel.values = spec.series.map((series) => {
    if (series.look === "band") return null;
    const key = htmlNode("span", {}, keys);
    const sample = svgNode("svg", { width: 22, height: 10, "aria-hidden": "true" }, key);
    svgNode("path", { class: lineClass(spec, series), d: "M1 5H21" }, sample);
    if (series.look === "marked") svgNode("circle", { class: `wt-dot wt-${series.hue}`, cx: 11, cy: 5, r: 3.4 }, sample);
    key.append(series.name + " ");
    return htmlNode("b", {}, key);
  });
  if (spec.id === "loss") {
    const toggle = htmlNode("button", { type: "button", textContent: "log scale" }, keys);
    toggle.setAttribute("aria-pressed", panel.log);
    toggle.onclick = () => {
      panel.log = !panel.log;
      toggle.setAttribute("aria-pressed", panel.log);
      draw(panel);
    };
  }
  panel.keys = keys;
  panel.svg = svgNode("svg", { tabindex: 0, role: "img", "aria-label":
    `${spec.series.map((series) => series.name).filter(Boolean).join(", ")} over steps; arrow keys read values off` }, host);
  listen(panel);
  return panel;
});
document.querySelector("#curves h2").after(tools, hint);

// Accuracy that crowds at the top is shown as error, on a log scale; a switch in each shows the other.
const crowded = ["accuracy", "error"].map((id) => panels.find((panel) => panel.spec.id === id));
function choose(chosen, focus) {
  for (const panel of crowded) panel.host.closest("figure").hidden = panel !== chosen;
  if (!focus) return;
  chosen.choice.focus();
  draw(chosen);
}
if (crowded.every(Boolean)) {
  crowded.forEach((panel, i) => {
    const other = crowded[1 - i];
    panel.choice = htmlNode("button", { type: "button", textContent: `show ${other.spec.id}` }, panel.keys);
    panel.choice.onclick = () => choose(other, true);
  });
  choose(crowded[1], false);
}

// A series' classes: its colour, and a dash for the second strong line of a chart.
function lineClass(spec, series) {
  if (series.look === "faint") return `wt-line wt-${series.hue} wt-faint`;
  const dash = spec.series.filter((other) => !["faint", "band"].includes(other.look)).indexOf(series);
  return `wt-line wt-${series.hue}` + (dash > 0 ? ` wt-dash${dash}` : "");
}

function draw(panel) {
  const { svg, spec, height, bottom } = panel;
  const width = Math.max(200, panel.host.clientWidth);
  const inner = { width: width - LEFT - RIGHT, height: bottom - TOP };
  const [lo, hi, ticks] = verticalAxis(panel);
  const scale = panel.log ? Math.log10 : (value) => value;
  const toX = (step) => LEFT + (step - view[0]) / (view[1] - view[0]) * inner.width;
  const toY = (value) => TOP + (1 - (scale(value) - scale(lo)) / (scale(hi) - scale(lo))) * inner.height;
  Object.assign(panel, { inner, toX, toY });
  svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
  svg.replaceChildren();
  const clip = svgNode("clipPath", { id: `clip-${spec.id}` }, svg);
  svgNode("rect", { x: LEFT, y: 0, width: inner.width, height }, clip);
  for (const [value, label] of ticks) {
    const y = toY(value).toFixed(1);
    svgNode("path", { class: "wt-grid", d: `M${LEFT} ${y}H${width - RIGHT}` }, svg);
    svgNode("text", { class: "wt-soft wt-end", x: LEFT - 8, y: Number(y) + 4 }, svg).textContent = label + (spec.unit && ` ${spec.unit}`);
  }
  svgNode("path", { class: "wt-axis", d: `M${LEFT} ${bottom}H${width - RIGHT}` }, svg);
  if (height - bottom > 20) drawSteps(panel, width);
  const inside = svgNode("g", { "clip-path": `url(#clip-${spec.id})` }, svg);
  drawCycles(inside, panel);
  const dots = svgNode("g", {});
  for (const series of spec.series) drawSeries(inside, dots, panel, series);
  svg.append(dots);
  if (!inside.querySelector(".wt-line") && !dots.firstChild) {
    svgNode("text", { class: "wt-soft wt-mid", x: width / 2, y: bottom / 2 }, svg).textContent = "no data";
  }
  panel.cross = svgNode("g", {}, svg);
  drawCross(panel);
}

// Labels of the horizontal axis.
function drawSteps({ svg, bottom, inner, toX }, width) {
  for (const [step, label] of linearTicks(view[0], view[1], Math.max(2, inner.width / 80), false, true)[2]) {
    const x = toX(step);
    svgNode("path", { class: "wt-axis", d: `M${x.toFixed(1)} ${bottom}v4` }, svg);
    const anchor = x > width - RIGHT - 14 ? "wt-end" : "wt-mid";
    svgNode("text", { class: `wt-soft ${anchor}`, x: Math.min(x, width - 1).toFixed(1), y: bottom + 18 }, svg).textContent = label;
  }
  svgNode("text", { class: "wt-soft wt-mid", x: LEFT + inner.width / 2, y: bottom + 36 }, svg).textContent = "step";
}

// Thin lines at the ends of cycles, unless they stand too close to be told apart.
function drawCycles(parent, { toX, inner, bottom }) {
  const period = data.period;
  if (!period || period / (view[1] - view[0]) * inner.width < 8) return;
  for (let end = Math.max(1, Math.ceil(view[0] / period)) * period; end <= Math.min(view[1], LAST); end += period) {
    svgNode("path", { class: "wt-mark", d: `M${toX(end).toFixed(1)} ${TOP}V${bottom}` }, parent);
  }
}

// An area between two edges.
function drawBand(parent, { log, toX, toY }, { x, y, back, hue }) {
  const there = (i) => [y[i], back[i]].every((value) => value !== null && !(log && value <= 0));
  const places = x.map((_, i) => i).filter(there);
  const edge = (values, order) => order.map((i) => `${toX(x[i]).toFixed(1)} ${toY(values[i]).toFixed(1)}`).join("L");
  if (places.length < 2) return;
  const d = `M${edge(y, places)}L${edge(back, [...places].reverse())}Z`;
  svgNode("path", { class: `wt-band wt-${hue}`, d }, parent);
}

function drawSeries(lines, dots, panel, series) {
  if (series.look === "band") return drawBand(lines, panel, series);
  const { spec, log, toX, toY } = panel;
  const { x, y } = series;
  const from = Math.max(0, lastAtMost(x, view[0])), to = Math.min(x.length - 1, lastAtMost(x, view[1]) + 1);
  const drawable = (i) => i >= from && i <= to && y[i] !== null && !(log && y[i] <= 0);
  let path = "";
  for (let i = from; i <= to; i++) {
    if (!drawable(i)) continue;
    const place = `${toX(x[i]).toFixed(1)} ${toY(y[i]).toFixed(1)}`;
    path += (drawable(i - 1) ? "L" : "M") + place;
    if (x[i] < view[0] || x[i] > view[1]) continue;
    // A point without neighbours has no line; few measurements are marked one by one.
    const alone = !drawable(i - 1) && !drawable(i + 1);
    if (alone || (series.look === "marked" && to - from < 150)) {
      const [cx, cy] = place.split(" ");
      svgNode("circle", { class: `wt-dot wt-${series.hue}`, cx, cy, r: 3.4 }, dots);
    }
  }
  if (path) svgNode("path", { class: lineClass(spec, series), d: path }, lines);
}

// The crosshair, the values in the key, and a mark on each curve.
function drawCross(panel) {
  panel.cross.replaceChildren();
  const shown = at !== null && at >= view[0] && at <= view[1];
  if (shown) {
    const x = panel.toX(at).toFixed(1);
    svgNode("path", { class: "wt-cross", d: `M${x} ${TOP}V${panel.bottom}` }, panel.cross);
  }
  panel.spec.series.forEach((series, i) => {
    if (series.look === "band") return;
    const index = lastAtMost(series.x, at ?? LAST);
    panel.values[i].textContent = index < 0 ? "" : number(series.y[index], 5) + (panel.spec.unit && ` ${panel.spec.unit}`);
    const value = series.y[index];
    if (!shown || index < 0 || value === null || (panel.log && value <= 0) || series.x[index] < view[0]) return;
    svgNode("circle", { class: `wt-dot wt-${series.hue}`, cx: panel.toX(series.x[index]), cy: panel.toY(value), r: 4.2 }, panel.cross);
  });
}

// Steps that have a record: those of the first chart, the learning rate of a run.
const steps = (data.panels[0].series.find(({ look }) => look !== "band") ?? { x: [] }).x;

function readOff(step) {
  if (steps.length === 0) return;
  const before = clamp(lastAtMost(steps, step), 0, steps.length - 1);
  const after = Math.min(before + 1, steps.length - 1);
  at = step - steps[before] <= steps[after] - step ? steps[before] : steps[after];
  announce();
  panels.forEach(drawCross);
}

function announce() {
  if (at === null) {
    readout.textContent = `steps ${number(Math.round(view[0]), 15)} to ${number(Math.round(view[1]), 15)}`;
    return;
  }
  const parts = [`step ${number(at, 15)}`];
  if (data.steps_per_epoch) parts.push(`epoch ${number(Math.floor(at / data.steps_per_epoch) + 1)}`);
  if (data.period) parts.push(`cycle ${number(Math.floor(at / data.period) + 1)}`);
  readout.textContent = parts.join(" · ");
}

function show(lo, hi) {
  const width = clamp(hi - lo, Math.min(4, LAST - FIRST), LAST - FIRST);
  const start = clamp((lo + hi - width) / 2, FIRST, LAST - width);
  view = [start, start + width];
  reset.disabled = width >= LAST - FIRST;
  announce();
  panels.forEach(draw);
}

// Scales the range by `factor` around `centre`, which stays where it is.
function zoom(factor, centre = at !== null && at >= view[0] && at <= view[1] ? at : (view[0] + view[1]) / 2) {
  show(centre - (centre - view[0]) * factor, centre + (view[1] - centre) * factor);
}

function listen(panel) {
  const { svg } = panel;
  const pointers = new Map();
  let from = null, pinch = null;
  const stepAt = (clientX) => {
    const box = svg.getBoundingClientRect();
    const x = (clientX - box.left) * (panel.inner.width + LEFT + RIGHT) / box.width;
    return clamp(view[0] + (x - LEFT) / panel.inner.width * (view[1] - view[0]), view[0], view[1]);
  };
  const spread = () => {
    const [a, b] = [...pointers.values()];
    return { distance: Math.max(20, Math.abs(a - b)), centre: (a + b) / 2 };
  };
  svg.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    svg.setPointerCapture(event.pointerId);
    pointers.set(event.pointerId, event.clientX);
    if (pointers.size === 2) pinch = { ...spread(), view: [...view] };
    from = event.pointerType === "mouse" ? event.clientX : null;
    readOff(stepAt(event.clientX));
  });
  svg.addEventListener("pointermove", (event) => {
    if (pointers.has(event.pointerId)) pointers.set(event.pointerId, event.clientX);
    if (pinch && pointers.size === 2) {
      const now = spread();
      view = [...pinch.view];
      const centre = stepAt(pinch.centre);
      zoom(pinch.distance / now.distance, centre);
      return;
    }
    readOff(stepAt(event.clientX));
    if (from === null) return;
    const [a, b] = [from, event.clientX].map(stepAt).sort((p, q) => p - q).map(panel.toX);
    svgNode("rect", { class: "wt-select", x: a, y: TOP, width: b - a, height: panel.inner.height }, panel.cross);
  });
  const end = (event) => {
    pointers.delete(event.pointerId);
    if (pointers.size < 2) pinch = null;
    const start = from;
    from = null;
    if (start === null || event.type !== "pointerup" || Math.abs(event.clientX - start) < 6) return;
    const [lo, hi] = [start, event.clientX].map(stepAt).sort((p, q) => p - q);
    show(lo, hi);
  };
  svg.addEventListener("pointerup", end);
  svg.addEventListener("pointercancel", end);
  svg.addEventListener("pointerleave", (event) => {
    if (event.pointerType !== "mouse" || from !== null) return;
    at = null;
    announce();
    panels.forEach(drawCross);
  });
  svg.addEventListener("dblclick", () => show(FIRST, LAST));
  svg.addEventListener("wheel", (event) => {
    // Without a key the wheel scrolls the page.
    if (!event.ctrlKey && !event.shiftKey && !event.metaKey) return;
    event.preventDefault();
    const turned = event.deltaY || event.deltaX;
    zoom(turned > 0 ? 1.25 : 0.8, stepAt(event.clientX));
  }, { passive: false });
  svg.addEventListener("keydown", (event) => onKey(event));
}

function onKey(event) {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const width = view[1] - view[0];
  const stride = Math.max(1, width / (event.shiftKey ? 10 : 100));
  const here = at ?? (view[0] + view[1]) / 2;
  const actions = {
    ArrowLeft: () => readOff(clamp(here - stride, FIRST, LAST)),
    ArrowRight: () => readOff(clamp(here + stride, FIRST, LAST)),
    Home: () => readOff(view[0]),
    End: () => readOff(view[1]),
    "+": () => zoom(0.5), "=": () => zoom(0.5), "-": () => zoom(2),
    0: () => show(FIRST, LAST), Escape: () => show(FIRST, LAST),
  };
  const action = actions[event.key];
  if (!action) return;
  event.preventDefault();
  action();
  if (at !== null && (at < view[0] || at > view[1])) show(at - width / 2, at + width / 2);
}

show(FIRST, LAST);
new ResizeObserver(() => panels.forEach(draw)).observe(document.getElementById("curves"));
})();
