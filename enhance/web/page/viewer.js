// The viewer of one photo: before and after, with a divider between them that can be moved.
//
// Gradio runs this once, with `element`, `props`, `trigger` and `watch`. The template deliberately
// holds no data: Gradio would run a ${…} in a photo's name as JavaScript, and redraw the widget
// with each value. So everything is set here, as text and attributes, never as markup.

const part = (name) => element.querySelector("." + name);
const root = part("viewer"), stage = part("stage"), picture = part("picture");
const divider = part("divider"), faces = part("faces");
const STEP = 1.25; // zoom factor of the keys and buttons
const SLACK = 4; // pixels that a pointer may move during a click
const SHARED_HEIGHT = 1600; // pixels of the picture that shows before and after side by side
const SHARED_WIDTH = 8000; // iPhones draw no more than 16 megapixels

const { words } = props; // by their keys, translated
let value = {}; // what is shown now, as Python sent it
let turn = 0; // counts the values received, so that a slow picture cannot replace a newer one
let newest = 0; // when what was last received was picked: see `View.changed`
let received = 0; // the photo that was received last, whose picture may still be loading
let asking = null; // the photo that Python was asked for and has not answered yet
let wanted = null; // the photo that keys and buttons have led to, until it is received
const images = {}; // "before" and "after": the <img> that is shown

// The view, which stays the same when the value changes.
let scale = null; // CSS pixels per pixel of the picture; null: as large as fits
let center = [0.5, 0.5]; // what is in the middle of the stage, in fractions of the picture
let split = 0.5; // position of the divider, as a fraction of the visible part of the picture
let room = [0, 0]; // size of the stage, in CSS pixels
let tags = [0, 0]; // widths of the labels of the two sides
let asked = 0; // the frame that was asked for, to draw in it
let outlined = false;

const clamp = (number, low, high) => Math.min(Math.max(number, low), high);

/** The picture's position on the stage, in CSS pixels; `from` and `to` bound what is visible. */
function frame() {
  const pixels = [value.width, value.height];
  const fit = Math.min(room[0] / pixels[0], room[1] / pixels[1]);
  const size = scale ?? fit;
  const sides = pixels.map((length) => length * size);
  const corner = sides.map((side, i) => {
    const offset = side <= room[i] ? (room[i] - side) / 2 : room[i] / 2 - center[i] * side;
    return Math.round(side <= room[i] ? offset : clamp(offset, room[i] - side, 0));
  });
  const from = corner.map((start) => Math.max(start, 0));
  const to = corner.map((start, i) => Math.min(start + sides[i], room[i]));
  const roams = sides.some((side, i) => side > room[i] + 1); // there is more than can be seen
  return { fit, size, sides, corner, from, to, roams };
}

/** Read the sizes that a layout depends on. Never while a pointer is followed: the browser would
    have to lay out the page for each of its events. */
function measure() {
  room = [stage.clientWidth, stage.clientHeight];
  tags = [part("left").offsetWidth, part("right").offsetWidth];
  draw();
}

/** Lay out everything with the next picture of the screen, however often this is called before. */
function draw() {
  asked ||= requestAnimationFrame(layOut);
}

/** Lay out the picture, the divider and the labels. */
function layOut() {
  asked = 0;
  if (!value.after || !room[0]) return; // hidden: the observer of its size draws later
  const { fit, size, sides, corner, from, to, roams } = frame();
  center = corner.map((start, i) => (room[i] / 2 - start) / sides[i]);
  const line = from[0] + split * (to[0] - from[0]);
  const percent = Math.round(100 * split);

  picture.style.width = `${sides[0]}px`;
  picture.style.height = `${sides[1]}px`;
  picture.style.transform = `translate(${corner[0]}px, ${corner[1]}px)`;
  const hidden = corner[0] + sides[0] - line; // of the picture before, on its right
  if (images.before) images.before.style.clipPath = `inset(0 ${hidden}px 0 0)`;
  divider.style.transform = `translate(${line}px, ${from[1]}px)`;
  divider.style.height = `${to[1] - from[1]}px`;
  divider.setAttribute("aria-valuenow", percent);
  divider.setAttribute("aria-valuetext", `${percent}%`);

  // Each label stays in its part of the picture, and is hidden if that is too narrow for it.
  const [left, right] = [part("left"), part("right")];
  left.style.transform = `translate(${from[0] + 8}px, ${from[1] + 8}px)`;
  right.style.transform = `translate(${to[0] - 8 - tags[1]}px, ${from[1] + 8}px)`;
  left.classList.toggle("gone", line - from[0] < tags[0] + 16);
  right.classList.toggle("gone", to[0] - line < tags[1] + 16);

  stage.classList.toggle("roams", roams);
  part("percent").textContent = `${Math.round(100 * size)}%`;
  part("fit").setAttribute("aria-pressed", scale === null);
  part("actual").setAttribute("aria-pressed", size === 1);
  part("out").disabled = size <= Math.min(fit, 1);
  part("in").disabled = size >= Math.max(fit, 4);
}

/** Zoom to `size` with `point` (fractions of the picture) at `spot` (pixels of the stage). */
function hold(point, spot, size) {
  const { fit } = frame();
  const next = clamp(size, Math.min(fit, 1), Math.max(fit, 4));
  scale = next === fit ? null : next;
  const pixels = [value.width, value.height];
  center = point.map((share, i) => share + (room[i] / 2 - spot[i]) / (pixels[i] * next));
  draw();
}

/** Zoom around a spot of the stage; the middle if none is given. */
function zoom(size, spot = room.map((length) => length / 2)) {
  hold(under(spot), spot, size);
}

function fit() {
  scale = null;
  draw();
}

/** Zoom to 100 %, on the first face, which is what people look for, or else on the middle. */
function actual() {
  const box = scale === null && value.faces[0]?.box;
  const point = box ? [(box[0] + box[2]) / 2, (box[1] + box[3]) / 2] : center;
  hold(point, room.map((length) => length / 2), 1);
}

/** The point of the picture that lies under a spot of the stage, in fractions. */
function under(spot) {
  const { corner, sides } = frame();
  return spot.map((at, i) => (at - corner[i]) / sides[i]);
}

function spotOf(event) {
  const box = stage.getBoundingClientRect();
  return [event.clientX - box.left, event.clientY - box.top];
}

function moveLine(share) {
  split = clamp(share, 0, 1);
  draw();
}

/** Send an event about the photo that is shown. */
function tell(event, data) {
  trigger(event, { index: value.index, ...data });
}

/** Go to the photo `step` further. */
function go(step) {
  wanted = clamp((wanted ?? received) + step, 0, value.count - 1);
  ask();
}

/** Ask for the photo that is wanted; Python answers with its value. Not before it has answered the
    last time, as an answer has the states of all photos, and a key may be held down. */
function ask() {
  if (asking !== null) return;
  if (wanted === received) wanted = null;
  if (wanted === null) return;
  asking = wanted;
  trigger("select", { index: asking });
}

function showFaces(on) {
  outlined = on;
  faces.hidden = !on;
  stage.classList.toggle("outlined", on);
  part("outlines").setAttribute("aria-pressed", on);
}

// --- Labels: what was done, each a switch ---

const labels = part("labels"), forAll = part("all");
let switched = null; // how a person has switched a label of this photo last

/** So many buttons of a class at the front of `parent`; they are reused, so that focus is kept. */
function buttonsIn(parent, className, count) {
  const buttons = [...parent.querySelectorAll(`.${className}`)];
  for (const button of buttons.splice(count)) button.remove();
  while (buttons.length < count) {
    const button = Object.assign(document.createElement("button"), { type: "button", className });
    if (buttons.length) buttons.at(-1).after(button);
    else parent.prepend(button);
    buttons.push(button);
  }
  return buttons;
}

/** One toggle per step. works: the wish of a person shows, until it has come true. */
function drawLabels(works = value.busy) {
  const buttons = buttonsIn(labels, "label", value.labels.length);
  value.labels.forEach(({ step, text, on }, i) => {
    const button = buttons[i], wished = works && switched?.step === step;
    button.textContent = text;
    button.dataset.step = step;
    button.classList.toggle("working", wished);
    button.setAttribute("aria-pressed", wished ? switched.on : on);
    button.setAttribute("aria-disabled", value.busy);
  });
  labels.hidden = !buttons.length;
  forAll.hidden = !switched || switched.all || value.count < 2;
}

labels.addEventListener("click", ({ target }) => {
  if (target === forAll) {
    switched.all = true;
    tell("apply", switched);
    labels.querySelector(`[data-step="${switched.step}"]`)?.focus(); // before this link goes
    drawLabels();
  } else if (target.dataset.step && !value.busy) {
    switched = { step: target.dataset.step, on: target.ariaPressed !== "true", all: false };
    tell("apply", switched);
    drawLabels(true); // until Python has answered
  }
});

// --- Marks: what was repaired, and a brush that changes it ---

const strokes = part("strokes");
let marked = false; // the marks are shown, and the tools that change them
let brush = null; // "true": it marks, "false": it removes marks, null: it is put down
let drawing = null; // the stroke that is being drawn

function showMarks(on) {
  marked = on && Boolean(value.marks);
  for (const name of ["marks", "strokes", "tools"]) part(name).toggleAttribute("hidden", !marked);
  if (marked) part("marks").src = value.marks; // loaded only now
  part("reveal").setAttribute("aria-expanded", marked);
  takeBrush(marked ? brush : null);
}

function takeBrush(kind) {
  brush = kind;
  stage.classList.toggle("brushing", brush !== null);
  part("paint").setAttribute("aria-pressed", brush === "true");
  part("erase").setAttribute("aria-pressed", brush === "false");
}

/** Set Python's marks; what was drawn over other ones goes. */
function drawMarks() {
  if (strokes.dataset.over !== value.marks) strokes.replaceChildren();
  strokes.dataset.over = value.marks;
  strokes.setAttribute("viewBox", `0 0 ${value.width} ${value.height}`);
  part("sensitivity").value = value.sensitivity;
  part("reveal").hidden = !value.marks;
  showMarks(marked);
  drawn();
}

/** Begin a stroke at a spot of the stage. The brush is as wide on the screen at every zoom. */
function stroke(spot) {
  const line = document.createElementNS(strokes.namespaceURI, "polyline");
  line.dataset.on = brush;
  line.style.strokeWidth = Math.ceil(part("size").value / frame().size);
  strokes.append(line);
  extend(line, spot);
  extend(line, spot); // a single point would not be drawn
  drawn();
  return line;
}

function extend(line, spot) {
  const [x, y] = under(spot);
  const point = `${Math.round(x * value.width)},${Math.round(y * value.height)}`;
  line.setAttribute("points", `${line.getAttribute("points") ?? ""} ${point}`.trim());
}

function drawn() {
  for (const name of ["undo", "repair"]) part(name).disabled = !strokes.children.length;
}

function undo() {
  strokes.lastChild?.remove();
  drawn();
}

function repair() {
  tell("submit", {
    strokes: [...strokes.children].map((line) => ({
      points: line.getAttribute("points"),
      width: Number(line.style.strokeWidth),
      on: line.dataset.on === "true",
    })),
  });
}

// --- What Python sends ---

/** The <img> of one side, ready to be painted; null if its file cannot be shown. */
async function load(side, url) {
  if (images[side]?.getAttribute("src") === url) return images[side];
  const image = new Image();
  image.className = side;
  image.draggable = false; // the browser's own dragging of images would end ours
  image.src = url;
  try {
    await image.decode();
  } catch {
    return null; // the viewer says so
  }
  return image;
}

/** Show a value. The old picture stays until the new one can be painted at once. */
async function show(next) {
  if (next.changed < newest) return; // it was made before another photo was picked
  newest = next.changed ?? 0;
  if (next.index !== received && next.index !== asking) wanted = null; // another was picked
  received = next.index ?? 0;
  asking = null;
  ask();
  const mine = ++turn;
  if (!next.before) {
    value = {};
    root.dataset.state = "empty";
    return;
  }
  const state = next.after ? "photo" : "original";
  next = { ...next, after: next.after || next.before };
  root.classList.add("waiting");
  const sides = ["before", "after"];
  const [before, after] = await Promise.all(sides.map((side) => load(side, next[side])));
  if (mine !== turn) return;
  root.classList.remove("waiting");

  const same = next.index === value.index && next.name === value.name;
  if (!same) scale = null;
  else if (scale !== null) scale *= value.width / next.width; // the same size on the screen
  if (!same) switched = null;
  value = next;
  place("after", after);
  place("before", before);
  part("failed").textContent = (before && after) || state === "original" ? "" : words.failed;
  root.dataset.state = state;
  describe();
  drawLabels();
  drawFaces();
  drawMarks();
  measure();
}

function place(side, image) {
  if (images[side] === image) return;
  images[side]?.remove();
  images[side] = image;
  if (image) picture.insertBefore(image, side === "after" ? images.before ?? faces : faces);
}

/** Set all texts and controls around the picture. */
function describe() {
  const { left, right, choices } = value;
  const several = choices.length > 1;
  const versions = several ? Object.fromEntries(choices) : {};
  const names = { before: versions[left] ?? words.before, after: versions[right] ?? words.after };
  // There is not much room on the picture.
  [part("left").textContent] = names.before.split(" · ");
  [part("right").textContent] = names.after.split(" · ");
  for (const side of ["before", "after"]) {
    if (images[side]) images[side].alt = `${value.name} – ${names[side]}`;
  }
  part("name").textContent = value.name;
  part("caption").textContent = value.caption;
  part("position").textContent = `${value.index + 1} / ${value.count}`;
  part("photos").hidden = value.count < 2;
  part("previous").disabled = value.index === 0;
  part("next").disabled = value.index === value.count - 1;

  part("versions").hidden = !several;
  fill(part("older"), [["before", words.before], ...choices], left);
  fill(part("newer"), choices, right);

  part("download").hidden = !value.download;
  part("download").href = value.download;
  part("share").hidden = !value.download || !images.before || !images.after;
}

/** Save the two pictures that are shown as one: equally high, with a line between them. */
function share() {
  const pictures = [images.before, images.after];
  const aspects = pictures.map((image) => image.naturalWidth / image.naturalHeight);
  const most = Math.floor(SHARED_WIDTH / (aspects[0] + aspects[1]));
  const highest = Math.max(...pictures.map((image) => image.naturalHeight));
  const height = Math.max(1, Math.min(highest, SHARED_HEIGHT, most));
  const [left, right] = aspects.map((aspect) => Math.max(1, Math.round(height * aspect)));
  const line = Math.max(2, Math.floor(height / 200));
  const canvas = document.createElement("canvas");
  Object.assign(canvas, { width: left + line + right, height });
  const paper = canvas.getContext("2d");
  paper.imageSmoothingQuality = "high";
  paper.fillStyle = "#fff"; // the line, and what is transparent
  paper.fillRect(0, 0, canvas.width, height);
  paper.drawImage(images.before, 0, 0, left, height);
  paper.drawImage(images.after, left + line, 0, right, height);
  canvas.toBlob((blob) => {
    const href = URL.createObjectURL(blob);
    const download = `${value.name.replace(/\.[^.]*$/, "")}_before_after.jpg`;
    Object.assign(document.createElement("a"), { href, download }).click();
    setTimeout(() => URL.revokeObjectURL(href), 60_000);
  }, "image/jpeg", 0.9);
}

function fill(select, choices, chosen) {
  select.replaceChildren(...choices.map(([key, label]) => new Option(label, key)));
  select.value = chosen;
}

/** One toggle per face. */
function drawFaces() {
  const buttons = buttonsIn(faces, "face", value.faces.length);
  value.faces.forEach(({ box: [left, top, right, bottom], on, can, label }, i) => {
    const button = buttons[i];
    button.style.left = `${100 * left}%`;
    button.style.top = `${100 * top}%`;
    button.style.width = `${100 * (right - left)}%`;
    button.style.height = `${100 * (bottom - top)}%`;
    button.classList.toggle("high", top < 0.06); // no room above it for its number
    button.dataset.number = i + 1;
    button.setAttribute("aria-label", label);
    button.setAttribute("aria-pressed", on);
    button.setAttribute("aria-disabled", !can);
    button.title = `${label}: ${can ? (on ? words.face_on : words.face_off) : words.face_fixed}`;
  });
  part("outlines").hidden = !value.faces.length;
  part("count").textContent = value.faces.length;
  part("outlines").ariaLabel = `${words.faces} ${value.faces.length}`;
  showFaces(outlined);
}

// --- Mouse and touch ---

const pointers = new Map(); // the pointers on the stage: id → spot
let grip = null; // what the pointers are dragging, and since when

const middle = () => {
  const spots = [...pointers.values()];
  return [0, 1].map((i) => spots.reduce((sum, spot) => sum + spot[i], 0) / spots.length);
};
const spread = () => {
  const [one, other] = pointers.values();
  return other ? Math.hypot(one[0] - other[0], one[1] - other[1]) : 1;
};

/** Begin to drag: the divider, if it was taken hold of, or the picture. */
function take(divides) {
  const spot = middle();
  const { from, to, size } = frame();
  const moving = divides || pointers.size > 1;
  // From the divider to the pointer, so that it does not jump if it is not taken in its middle.
  const offset = divides ? spot[0] - from[0] - split * (to[0] - from[0]) : 0;
  grip = { divides, moving, offset, spot, point: under(spot), spread: spread(), size };
}

stage.addEventListener("pointerdown", (event) => {
  if (event.button || !value.after) return;
  const divides = divider.contains(event.target) && !pointers.size;
  pointers.set(event.pointerId, spotOf(event));
  take(divides);
  drawing?.remove(); // two fingers zoom
  drawing = brush === null || divides || pointers.size > 1 ? null : stroke(spotOf(event));
  if (drawing) stage.setPointerCapture(event.pointerId);
});

stage.addEventListener("pointermove", (event) => {
  if (!pointers.has(event.pointerId)) return;
  if (!event.buttons) return release(event); // it was released outside
  pointers.set(event.pointerId, spotOf(event));
  const spot = middle();
  if (drawing) return extend(drawing, spot);
  if (!grip.moving && Math.hypot(spot[0] - grip.spot[0], spot[1] - grip.spot[1]) < SLACK) return;
  grip.moving = true;
  // Captured only now, because a press without movement is a click on what lies under it.
  stage.setPointerCapture(event.pointerId);
  const { from, to, roams } = frame();
  const divides = grip.divides || (pointers.size === 1 && !roams);
  if (divides) moveLine((spot[0] - grip.offset - from[0]) / (to[0] - from[0]));
  else hold(grip.point, spot, (grip.size * spread()) / grip.spread);
});

function release(event) {
  drawing = null;
  if (pointers.delete(event.pointerId) && pointers.size) take(false); // one finger of two is left
}
for (const end of ["pointerup", "pointercancel", "pointerleave"]) {
  stage.addEventListener(end, release);
}

stage.addEventListener("wheel", (event) => {
  if (!event.ctrlKey && !event.metaKey) return; // let the page scroll
  event.preventDefault();
  zoom(frame().size * Math.exp(-clamp(event.deltaY, -60, 60) / 150), spotOf(event));
}, { passive: false });

stage.addEventListener("dblclick", (event) => {
  if (event.target.closest("button, .divider") || brush !== null) return;
  if (scale === null) zoom(1, spotOf(event));
  else fit();
});

// --- Keys and buttons ---

divider.addEventListener("keydown", (event) => {
  const share = { ArrowLeft: split - 0.02, ArrowRight: split + 0.02, Home: 0, End: 1 }[event.key];
  if (share === undefined) return;
  event.preventDefault();
  event.stopPropagation(); // outside, these keys switch photos
  moveLine(share);
});

const buttons = {
  previous: () => go(-1),
  next: () => go(1),
  in: () => zoom(frame().size * STEP),
  out: () => zoom(frame().size / STEP),
  fit,
  actual,
  outlines: () => showFaces(!outlined && value.faces.length > 0),
  reveal: () => showMarks(!marked),
  paint: () => takeBrush(brush === "true" ? null : "true"),
  erase: () => takeBrush(brush === "false" ? null : "false"),
  undo,
  repair,
  find: () => tell("submit", { sensitivity: Number(part("sensitivity").value) }),
  help: () => part("keys").togglePopover(),
  share,
  full: () => (document.fullscreenElement ? document.exitFullscreen() : root.requestFullscreen()),
};
for (const [name, press] of Object.entries(buttons)) part(name).addEventListener("click", press);

root.addEventListener("keydown", (event) => {
  if (!value.after || event.target.closest("select, input")) return;
  if (event.ctrlKey || event.metaKey || event.altKey) return; // the browser's own shortcuts
  const key = CSS.escape(event.key === "=" ? "+" : event.key);
  const button = element.querySelector(`[aria-keyshortcuts="${key}" i]`);
  if (!button) return;
  event.preventDefault();
  button.click();
});

faces.addEventListener("click", (event) => {
  const face = [...faces.children].indexOf(event.target.closest(".face"));
  if (face >= 0 && value.faces[face].can) tell("edit", { face, on: !value.faces[face].on });
});

part("versions").addEventListener("change", () => {
  tell("input", { left: part("older").value, right: part("newer").value });
});

part("full").hidden = !document.fullscreenEnabled;
root.addEventListener("fullscreenchange", () => {
  part("full").setAttribute("aria-pressed", document.fullscreenElement === root);
});

new ResizeObserver(measure).observe(stage);
for (const node of element.querySelectorAll("[data-word]")) {
  node.textContent = words[node.dataset.word];
}
for (const node of element.querySelectorAll("[data-name]")) {
  const shortcut = node.getAttribute("aria-keyshortcuts");
  const name = words[node.dataset.name];
  node.setAttribute("aria-label", name);
  if (!shortcut) continue;
  const key = document.createElement("kbd"), line = document.createElement("p");
  key.textContent = { ArrowLeft: "←", ArrowRight: "→", "-": "−" }[shortcut] ?? shortcut;
  node.title = `${name} (${key.textContent})`;
  line.append(key, ` ${name}`);
  part("keys").append(line);
}
part("full").title = words.full_screen;
watch("value", () => show(props.value));
show(props.value);
