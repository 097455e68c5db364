// Sliders with a field for the exact value beside each. What is dragged is said on the channel at once; Python hears of
// it on release. Arrows move by a step, with Shift by ten; a double click brings back the published value.

export default function ({ data, parentElement, setStateValue }) {
  const root = parentElement.querySelector(".panel");
  const here = (parentElement.live ??= { knobs: new Map(), made: "" });
  here.data = data;
  here.send = (name, value) => {
    here.turn = Date.now() + Math.random();
    setStateValue("moved", { name, value, turn: here.turn });
  };
  const shape = JSON.stringify(data.knobs.map(({ value, wrong, written, ...fixed }) => fixed));
  if (here.made !== shape) {
    here.made = shape;
    here.knobs.clear();
    root.replaceChildren(...data.knobs.map((knob) => row(here, knob)));
  }
  // What Python says of an earlier value, while a later one is on its way to it, moves nothing.
  const gone = () => leave(data.channel, data.knobs.map((knob) => knob.name));
  if (here.turn !== undefined && here.turn !== data.heard) return gone;
  const to = channel(data.channel);
  for (const knob of data.knobs) {
    const parts = here.knobs.get(knob.name);
    parts.wrong.textContent = knob.wrong ?? "";
    if (to.moving !== knob.name) show(here, knob, knob.value, true);
  }
  const still = Object.fromEntries(data.knobs.filter((k) => k.name !== to.moving).map((k) => [k.name, k.value]));
  say(data.channel, still, Boolean(to.moving));
  return gone;
}

function row(here, knob) {
  const line = document.createElement("div");
  line.className = "knob";
  line.dataset.name = knob.name;
  line.innerHTML = `<label><span class="label"></span></label><div class="both"><input type="range" class="slide">` +
    `<input type="text" class="exact" maxlength="32" autocomplete="off" spellcheck="false"></div><p class="wrong" role="alert"></p>`;
  const slide = line.querySelector(".slide"), exact = line.querySelector(".exact");
  line.querySelector(".label").innerHTML = knob.label;
  slide.id = `${here.data.channel}-${knob.name}`;
  line.querySelector("label").htmlFor = slide.id;
  Object.assign(slide, { min: 0, max: steps(knob), step: 1 });
  slide.title = here.data.hint;
  exact.setAttribute("aria-label", knob.exactly);
  slide.setAttribute("aria-label", knob.spoken);
  here.knobs.set(knob.name, { slide, exact, wrong: line.querySelector(".wrong"), value: knob.value });

  const to = () => channel(here.data.channel);
  let begun = null;
  slide.addEventListener("pointerdown", () => { to().moving = knob.name; begun = here.knobs.get(knob.name).value; });
  slide.addEventListener("input", () => { to().moving = knob.name; move(here, knob, valueAt(knob, Number(slide.value))); });
  const settle = () => {
    if (!to().moving) return;
    to().moving = null;
    const value = here.knobs.get(knob.name).value;
    say(here.data.channel, { [knob.name]: value }, false);
    here.send(knob.name, value);
  };
  slide.addEventListener("change", settle);
  slide.addEventListener("pointerup", () => { if (to().moving && here.knobs.get(knob.name).value === begun) to().moving = null; });
  slide.addEventListener("pointercancel", settle);
  slide.addEventListener("keydown", (event) => {
    const way = { ArrowRight: 1, ArrowUp: 1, ArrowLeft: -1, ArrowDown: -1 }[event.key];
    if (!way || !event.shiftKey) return;
    event.preventDefault();
    slide.value = Number(slide.value) + 10 * way;
    slide.dispatchEvent(new Event("input"));
    slide.dispatchEvent(new Event("change"));
  });
  line.addEventListener("dblclick", (event) => {
    if (knob.published == null || event.target === exact) return;
    move(here, knob, knob.published);
    to().moving = knob.name;
    settle();
  });
  exact.addEventListener("keydown", (event) => { if (event.key === "Enter") exact.blur(); });
  exact.addEventListener("change", () => here.send(knob.name, exact.value));
  return line;
}

// ---- a slider counts steps from 0, on a straight scale or on a logarithmic one

function steps(knob) {
  return knob.log ? Math.round(Math.log10(knob.high / knob.low) * knob.per_decade) : Math.round((knob.high - knob.low) / knob.step);
}

function valueAt(knob, at) {
  if (at <= 0) return knob.low * (knob.unit ?? 1);
  if (at >= steps(knob)) return knob.high * (knob.unit ?? 1);
  if (knob.log) return Number((knob.low * Math.pow(10, at / knob.per_decade)).toPrecision(3)) * (knob.unit ?? 1);
  return Number((knob.low + at * knob.step).toPrecision(12)) * (knob.unit ?? 1);
}

function positionOf(knob, value) {
  const own = value / (knob.unit ?? 1);
  const at = knob.log ? Math.log10(own / knob.low) * knob.per_decade : (own - knob.low) / knob.step;
  return Math.min(steps(knob), Math.max(0, Math.round(at)));
}

function move(here, knob, value) {
  show(here, knob, value, false);
  say(here.data.channel, { [knob.name]: value }, true);
}

function show(here, knob, value, still) {
  const parts = here.knobs.get(knob.name);
  parts.value = value;
  const at = positionOf(knob, value);
  if (Number(parts.slide.value) !== at) parts.slide.value = at;
  parts.slide.style.setProperty("--filled", `${(100 * at) / steps(knob)}%`);
  parts.slide.setAttribute("aria-valuetext", written(value));
  const focused = parts.exact.getRootNode().activeElement === parts.exact;
  if (!(still && focused && parts.exact.value)) parts.exact.value = still ? knob.written ?? written(value) : written(value);
}

function written(value) {
  return value < 1e6 ? String(Number(value.toPrecision(8))) : quantity(value, 8);
}
