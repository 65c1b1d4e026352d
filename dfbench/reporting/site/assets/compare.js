"use strict";
// Compares two runs query by query. Values are scripts, which a page opened from a file may load.

const UNITS = 10000;
const NONE = 65535;
const RESAMPLES = 1000;
const SHOWN = 15;
const BINS = 41;

const groups = JSON.parse(document.getElementById("runs").textContent);
const choice = Object.fromEntries(
  ["group", "a", "b"].map((id) => [id, document.getElementById(id)]),
);
const valuesOf = new Map();
const queriesOf = new Map();

globalThis.dfbench = {
  values: (key, packed) => valuesOf.set(key, unpacked(packed)),
  queries: (key, classes, packed) => queriesOf.set(key, { classes, labels: unpacked(packed) }),
};

function unpacked(text) {
  const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  const view = new DataView(bytes.buffer);
  return Array.from({ length: bytes.length / 2 }, (_, i) => view.getUint16(2 * i, true));
}

function loaded(address) {
  return new Promise((resolve, reject) => {
    const script = document.createElement("script");
    script.src = address;
    script.addEventListener("load", resolve);
    script.addEventListener("error", () => reject(new Error(`cannot load ${address}`)));
    document.head.append(script);
  });
}

function element(name, content = [], attributes = {}) {
  const made = document.createElement(name);
  made.append(...[content].flat());
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  return made;
}

function drawing(name, attributes = {}, text = "") {
  const made = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.textContent = text;
  return made;
}

const mean = (numbers) => numbers.reduce((sum, x) => sum + x, 0) / numbers.length;
const short = (value) => value.toFixed(3).replace(/^(-?)0\./, "$1.");
const signed = (value) => (value > 0 ? "+" : "") + short(value);

function fill(select, options, chosen) {
  select.replaceChildren(...options.map(([value, text]) => element("option", text, { value })));
  if (options.some(([value]) => value === chosen)) select.value = chosen;
}

function fillRuns(a, b) {
  const { runs } = groups[Number(choice.group.value)];
  const options = runs.map((run) => [run.key, run.name]);
  fill(choice.a, options, a);
  const second = b ?? options.find(([key]) => key !== choice.a.value)[0];
  fill(choice.b, options, second);
}

function pairsOf(group, a, b) {
  const queries = queriesOf.get(group.key);
  const [first, second] = [valuesOf.get(a.key), valuesOf.get(b.key)];
  return first
    .map((value, i) => ({
      query: i * group.stride,
      name: queries ? queries.classes[queries.labels[i]] : null,
      a: value,
      b: second[i],
    }))
    .filter((pair) => pair.a !== NONE && pair.b !== NONE)
    .map((pair) => ({
      ...pair,
      a: pair.a / UNITS,
      b: pair.b / UNITS,
      gap: (pair.a - pair.b) / UNITS,
    }));
}

// A fixed seed: the same two runs always have the same interval.
function interval(gaps) {
  let state = 1;
  const draw = () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * gaps.length);
  };
  const means = Array.from({ length: RESAMPLES }, () => {
    let sum = 0;
    for (let i = 0; i < gaps.length; i += 1) sum += gaps[draw()];
    return sum / gaps.length;
  }).sort((x, y) => x - y);
  return [means[Math.floor(RESAMPLES * 0.025)], means[Math.ceil(RESAMPLES * 0.975) - 1]];
}

function summary(pairs, group) {
  const gaps = pairs.map((pair) => pair.gap);
  const [low, high] = interval(gaps);
  const entries = [
    ["mAP@all of A", short(mean(pairs.map((pair) => pair.a)))],
    ["mAP@all of B", short(mean(pairs.map((pair) => pair.b)))],
    ["A − B [95 % over queries]", `${signed(mean(gaps))} [${signed(low)}, ${signed(high)}]`],
    ["queries better with A", gaps.filter((gap) => gap > 0).length],
    ["equal", gaps.filter((gap) => gap === 0).length],
    ["better with B", gaps.filter((gap) => gap < 0).length],
  ];
  const list = element(
    "dl",
    entries.map(([name, value]) =>
      element("div", [element("dt", name), element("dd", String(value))]),
    ),
    { class: "summary" },
  );
  if (group.stride === 1) return [list];
  const note = `Based on one in ${group.stride} queries, to keep the report small.`;
  return [list, element("p", note, { class: "note" })];
}

function histogram(pairs) {
  const counts = new Array(BINS).fill(0);
  for (const { gap } of pairs) counts[Math.round(((gap + 1) / 2) * (BINS - 1))] += 1;
  const [width, height, most] = [14, 160, Math.max(...counts)];
  const svg = drawing("svg", {
    class: "histogram",
    viewBox: `0 -8 ${BINS * width} ${height + 8}`,
    role: "img",
    "aria-label": "Histogram of AP of A minus AP of B",
  });
  counts.forEach((count, bin) => {
    const side = Math.sign(bin - (BINS - 1) / 2);
    const tall = (count / most) * height;
    const bar = drawing("rect", {
      class: side > 0 ? "a" : side < 0 ? "b" : "equal",
      x: bin * width + 1,
      y: height - tall,
      width: width - 2,
      height: tall,
    });
    bar.append(drawing("title", {}, `${count} queries`));
    svg.append(bar);
  });
  const ends = ["−1: B better", "0", "A better: +1"].map((text) => element("span", text));
  const caption =
    "Number of queries by difference, AP of A minus AP of B, in bins of .05; the bar in " +
    "the middle counts differences below .025.";
  return element("figure", [
    svg,
    element("div", ends, { class: "ends", "aria-hidden": "true" }),
    element("figcaption", caption),
  ]);
}

function table(caption, header, rows) {
  const heads = header.map(([name, kind]) =>
    element("th", name, kind ? { scope: "col", class: kind } : { scope: "col" }),
  );
  const lines = rows.map((cells) =>
    element(
      "tr",
      cells.map((cell, i) => element("td", String(cell), header[i][1] ? { class: "number" } : {})),
    ),
  );
  const made = element(
    "table",
    [
      element("caption", caption),
      element("thead", element("tr", heads)),
      element("tbody", lines),
    ],
    { class: "sortable" },
  );
  makeSortable(made);
  return element("div", made, {
    class: "wide tall",
    tabindex: "0",
    role: "region",
    "aria-label": `${caption}, table`, // not the name of a section
  });
}

function classTable(pairs) {
  const byName = new Map();
  for (const pair of pairs) {
    if (!byName.has(pair.name)) byName.set(pair.name, []);
    byName.get(pair.name).push(pair);
  }
  const rows = [...byName].map(([name, own]) => {
    const [a, b] = [mean(own.map((pair) => pair.a)), mean(own.map((pair) => pair.b))];
    return [name, own.length, short(a), short(b), signed(a - b)];
  });
  rows.sort((x, y) => Number(y[4]) - Number(x[4]));
  const header = [["class"], ["queries", "number"], ["A", "number"], ["B", "number"]];
  return table("By class", [...header, ["A − B", "number"]], rows);
}

function extremes(pairs, caption, sign) {
  const chosen = pairs
    .filter((pair) => sign * pair.gap > 0)
    .sort((x, y) => sign * (y.gap - x.gap))
    .slice(0, SHOWN);
  const rows = chosen.map((pair) => [
    pair.query,
    ...(pair.name === null ? [] : [pair.name]),
    short(pair.a),
    short(pair.b),
    signed(pair.gap),
  ]);
  const named = chosen.some((pair) => pair.name !== null) ? [["class"]] : [];
  const numbers = ["AP of A", "AP of B", "A − B"].map((name) => [name, "number"]);
  return table(caption, [["query", "number"], ...named, ...numbers], rows);
}

function pagesOf(a, b) {
  const links = [["A", a], ["B", b]].flatMap(([letter, run]) => [
    `${letter}: `,
    element("a", run.name, { href: run.page }),
    " ",
  ]);
  return element("p", links);
}

async function show() {
  const group = groups[Number(choice.group.value)];
  const [a, b] = [choice.a, choice.b].map((select) =>
    group.runs.find((run) => run.key === select.value),
  );
  const result = document.getElementById("result");
  history.replaceState(null, "", `#a=${a.key}&b=${b.key}`);
  try {
    await Promise.all([
      ...[a, b].filter((run) => !valuesOf.has(run.key)).map((run) => loaded(run.values)),
      ...(group.queries && !queriesOf.has(group.key) ? [loaded(group.queries)] : []),
    ]);
  } catch (fault) {
    result.replaceChildren(element("p", `${fault.message}; make the report again`));
    return;
  }
  if (choice.a.value !== a.key || choice.b.value !== b.key) return; // the choice has changed meanwhile
  const pairs = pairsOf(group, a, b);
  const tables = [
    ...(group.queries ? [classTable(pairs)] : []),
    extremes(pairs, "Queries with a higher AP in A", 1),
    extremes(pairs, "Queries with a higher AP in B", -1),
  ];
  result.replaceChildren(
    pagesOf(a, b),
    ...summary(pairs, group),
    histogram(pairs),
    element("div", tables, { class: "beside" }),
  );
}

function begin() {
  const wanted = new URLSearchParams(location.hash.slice(1));
  const [a, b] = [wanted.get("a"), wanted.get("b")];
  const at = groups.findIndex((group) => group.runs.some((run) => run.key === a));
  fill(choice.group, groups.map((group, i) => [String(i), group.title]), String(Math.max(0, at)));
  fillRuns(a, b);
  choice.group.addEventListener("change", () => {
    fillRuns();
    show();
  });
  choice.a.addEventListener("change", show);
  choice.b.addEventListener("change", show);
  document.getElementById("swap").addEventListener("click", () => {
    fillRuns(choice.b.value, choice.a.value);
    show();
  });
  show();
}

begin();
