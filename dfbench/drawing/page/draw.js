"use strict";

const SENT = 256; // side of the image sent, in pixels
const FRAME = 0.82; // fraction of the frame filled by a fitted drawing, as in training sketches
const MOST_ENLARGED = 5; // keeps a dot small
const STEP = 0.04;
const SMALL_STEP = 0.01;
const MOVES = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

const byId = (id) => document.getElementById(id);
const [paper, undo, clear, pen, fit] = ["paper", "undo", "clear", "pen", "fit"].map(byId);
const [status, photos, file] = [byId("status"), byId("photos"), byId("file")];

const strokes = []; // each a list of points [x, y] in units of the paper's side
let active = null; // the pointer that draws, or "keyboard"
let cursor = null; // position of the keyboard's pen
let asking = null; // aborts the current request
let picture = null; // a sketch from a file, below the strokes

function paint(context, side, points, width) {
  context.fillStyle = "#fff";
  context.fillRect(0, 0, side, side);
  if (picture) {
    const scale = side / Math.max(picture.width, picture.height);
    const [width, height] = [picture.width * scale, picture.height * scale];
    context.drawImage(picture, (side - width) / 2, (side - height) / 2, width, height);
  }
  context.strokeStyle = "#000";
  context.lineWidth = width * side;
  context.lineCap = context.lineJoin = "round";
  for (const stroke of points) {
    context.beginPath();
    context.moveTo(stroke[0][0] * side, stroke[0][1] * side);
    for (const [x, y] of stroke) context.lineTo(x * side, y * side);
    context.stroke();
  }
}

function show() {
  const context = paper.getContext("2d");
  paint(context, paper.width, strokes, pen.value / 100);
  if (cursor && document.activeElement === paper) {
    const [x, y] = cursor.map((place) => place * paper.width);
    context.strokeStyle = "#1a5fb4";
    context.lineWidth = 3;
    context.beginPath();
    context.moveTo(x - 14, y);
    context.lineTo(x + 14, y);
    context.moveTo(x, y - 14);
    context.lineTo(x, y + 14);
    context.stroke();
  }
  const empty = strokes.length === 0 && !picture;
  // A disabled button would lose the focus of the keyboard.
  if (empty && [undo, clear].includes(document.activeElement)) paper.focus();
  undo.disabled = clear.disabled = empty;
}

// Line width is kept: only point positions are fitted to the frame. Strokes on a picture stay on it.
function fitted() {
  if (!fit.checked || picture) return strokes;
  const all = strokes.flat();
  const span = (axis) => {
    const places = all.map((point) => point[axis]);
    return [Math.min(...places), Math.max(...places)];
  };
  const [[left, right], [top, bottom]] = [span(0), span(1)];
  const extent = Math.max(right - left, bottom - top, 1e-6);
  const scale = Math.min((FRAME - pen.value / 100) / extent, MOST_ENLARGED);
  const [x0, y0] = [(left + right) / 2, (top + bottom) / 2];
  const placed = ([x, y]) => [0.5 + (x - x0) * scale, 0.5 + (y - y0) * scale];
  return strokes.map((stroke) => stroke.map(placed));
}

function say(text, fault = false) {
  status.textContent = text;
  status.classList.toggle("fault", fault);
}

async function ask() {
  if (asking) asking.abort();
  if (strokes.length === 0 && !picture) {
    photos.replaceChildren();
    say("Nothing drawn yet.");
    return;
  }
  const request = (asking = new AbortController());
  const sheet = document.createElement("canvas");
  sheet.width = sheet.height = SENT;
  paint(sheet.getContext("2d"), SENT, fitted(), pen.value / 100);
  const drawing = await new Promise((done) => sheet.toBlob(done, "image/png"));
  try {
    const options = { method: "POST", body: drawing, signal: request.signal };
    const answer = await fetch("rank", { ...options, headers: { "Content-Type": "image/png" } });
    if (answer.ok) list(await answer.json());
    else say(await answer.text(), true);
  } catch (fault) {
    if (fault.name !== "AbortError") say("No response: dfbench draw has ended. Start it again.", true);
  }
}

function list(hits) {
  photos.replaceChildren(...hits.map(item));
  say(`The ${hits.length} nearest photos; first: ${hits[0].name}`);
}

function item(hit) {
  const image = document.createElement("img");
  image.src = `photos/${hit.index}`;
  image.alt = image.title = hit.name;
  const [line, name, score] = ["p", "span", "span"].map((tag) => document.createElement(tag));
  [name.className, score.className] = ["name", "score"];
  name.textContent = hit.name;
  score.textContent = hit.score.toFixed(2);
  line.append(name, score);
  const entry = document.createElement("li");
  entry.append(image, line);
  return entry;
}

function place(event) {
  const box = paper.getBoundingClientRect();
  const within = (value) => Math.min(1, Math.max(0, value));
  const x = (event.clientX - box.left) / box.width;
  return [within(x), within((event.clientY - box.top) / box.height)];
}

paper.addEventListener("pointerdown", (event) => {
  if (active !== null || event.button !== 0) return;
  active = event.pointerId;
  cursor = null;
  paper.setPointerCapture(active);
  strokes.push([place(event)]);
  show();
});

paper.addEventListener("pointermove", (event) => {
  if (event.pointerId !== active) return;
  const events = event.getCoalescedEvents();
  strokes.at(-1).push(...(events.length ? events : [event]).map(place));
  show();
});

function lift(event) {
  if (event.pointerId !== active) return;
  active = null;
  ask();
}
paper.addEventListener("pointerup", lift);
paper.addEventListener("pointercancel", lift);

paper.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === " ") {
    event.preventDefault();
    cursor ??= [0.5, 0.5];
    if (active === "keyboard") {
      active = null;
      ask();
    } else if (active === null) {
      active = "keyboard";
      strokes.push([cursor]);
    }
  } else if (event.key in MOVES) {
    event.preventDefault();
    const step = event.shiftKey ? SMALL_STEP : STEP;
    const moved = (at, axis) => Math.min(1, Math.max(0, at + MOVES[event.key][axis] * step));
    cursor = (cursor ?? [0.5, 0.5]).map(moved);
    if (active === "keyboard") strokes.at(-1).push(cursor);
  }
  show();
});

paper.addEventListener("blur", () => {
  if (active === "keyboard") {
    active = null;
    ask();
  }
  show();
});

async function open(chosen) {
  try {
    picture = await createImageBitmap(chosen);
  } catch {
    say(`${chosen.name} cannot be read; allowed: an image, e.g. PNG or JPEG.`, true);
    return;
  }
  strokes.length = 0;
  show();
  ask();
}
file.addEventListener("change", () => {
  if (file.files.length) open(file.files[0]);
});
paper.addEventListener("dragover", (event) => event.preventDefault());
paper.addEventListener("drop", (event) => {
  event.preventDefault();
  if (event.dataTransfer.files.length) open(event.dataTransfer.files[0]);
});

function leave() {
  picture = null;
  file.value = ""; // the same file can be opened again
}

function takeBack(count) {
  if (active !== null && active !== "keyboard") return;
  active = null;
  if (strokes.length === 0) leave();
  strokes.splice(Math.max(0, strokes.length - count), count);
  show();
  ask();
}
undo.addEventListener("click", () => takeBack(1));
clear.addEventListener("click", () => {
  leave();
  takeBack(strokes.length);
});
document.addEventListener("keydown", (event) => {
  if ((event.ctrlKey || event.metaKey) && event.key === "z" && !undo.disabled) {
    event.preventDefault();
    takeBack(1);
  }
});

pen.addEventListener("input", show);
pen.addEventListener("change", ask);
fit.addEventListener("change", ask);

async function introduce() {
  const about = await (await fetch("about")).json();
  byId("about").textContent =
    `${about.photos} photos in ${about.folder}, encoders of ${about.method}, seed ${about.seed}`;
  byId("classes").textContent = about.classes.join(", ");
}

show();
introduce();
