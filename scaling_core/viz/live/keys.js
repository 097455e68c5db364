// The keys of a talk, wherever the focus is except where keys mean something already; where a scene begins, and how
// tall its picture may be.

const STEPS = { ArrowRight: "next", PageDown: "next", " ": "next", ArrowLeft: "previous", PageUp: "previous",
                Home: "reset", r: "reset", R: "reset" };
const OF_A_SLIDER = ["ArrowRight", "ArrowLeft", "ArrowUp", "ArrowDown", "Home", "End", " "];
const TYPING = "input:not([type=range]), textarea, select, [contenteditable], [role=textbox], [role=combobox], " +
  "[role=listbox], [role=option], [role=menu], [role=menuitem], [role=spinbutton], [role=tab], [role=grid], " +
  "[role=dialog], [data-testid=stPopoverBody]";
const SLIDER = "input[type=range], [role=slider]";
const STAGES = [1, 1.25, 1.5, 2];
const LEAST = 200, BELOW = 8;
const PATIENCE = 5000, AGAIN = 800;

export default function ({ data, parentElement, setTriggerValue, setStateValue }) {
  const here = (parentElement.live ??= { begun: null, wait: 0, sent: 0 });
  here.data = data;
  here.mounted = true;
  here.send = (said) => setTriggerValue("said", said);
  here.measure = () => { if (stage() !== here.data.stage) setStateValue("stage", stage()); };
  here.resize ??= () => {
    clearTimeout(here.later);
    here.later = setTimeout(() => { if (here.data.presenting) here.measure(), begin(here, { scroll: false }); }, 250);
  };
  window.addEventListener("resize", here.resize);
  keys.here = here;
  listen();
  keys.open = keys.open.filter(([number]) => number > data.heard);
  tell();
  const begun = JSON.stringify([data.turn, data.presenting, data.page, data.stage, data.language]);
  const turned = here.turn !== data.turn;
  if (here.begun !== begun) {
    here.begun = begun;
    here.turn = data.turn;
    if (data.presenting) here.measure();
    begin(here, { scroll: turned });
  }
  return () => {
    here.mounted = false;
    window.removeEventListener("resize", here.resize);
    clearTimeout(here.wait);
    clearTimeout(here.later);
  };
}

// Where one page is exchanged for the next nobody listens for a moment, and what is said there to the page that goes is
// lost. So the window listens, once, and keeps each press under its number until Python has said that it heard it.
// open: [number, meaning, when], here: the page's own part of it, held: whether a hand holds a slider.
const keys = (window.scalingLabKeys ??= { number: 0, open: [], here: null, held: false, listening: false });

function listen() {
  if (keys.listening) return;
  keys.listening = true;
  document.addEventListener("keydown", (event) => {
    const said = meaning(event, keys.here.data);
    if (said === null) return;
    event.preventDefault();
    if (event.repeat) return;
    if (said === "present" && keys.here.mounted) keys.here.measure();
    keys.open.push([++keys.number, said, performance.now()]);
    tell();
  });
  const hold = (event) => { keys.held = event.type === "pointerdown" && within(event, SLIDER); };
  for (const kind of ["pointerdown", "pointerup", "pointercancel"]) document.addEventListener(kind, hold, true);
}

// Tell Python what it has not heard yet, once for each page that could be told; again where the page has come to rest
// and it still has not heard; and nothing that is long past.
function tell() {
  const { here } = keys;
  clearTimeout(keys.again);
  keys.open = keys.open.filter(([, , when]) => performance.now() - when < PATIENCE);
  if (!keys.open.length) return;
  keys.again = setTimeout(() => { if (!running()) keys.here.sent = 0; tell(); }, AGAIN);
  if (!here.mounted || !keys.open.some(([number]) => number > here.sent)) return;
  here.sent = keys.number;
  here.send(keys.open.map(([number, said]) => [number, said]));
}

// What a key means, or null where it is somebody else's.
function meaning(event, { presenting }) {
  const playing = document.querySelector(".st-key-scene-bar") !== null;
  if (event.defaultPrevented || event.isComposing) return null;
  if (event.ctrlKey || event.metaKey || event.altKey || event.shiftKey) return null;
  if (keys.held || taken(event)) return null;
  if (event.key === "p" || event.key === "P") return "present";
  if (event.key === "Escape") return presenting ? "plain" : null;
  if ((event.key === "n" || event.key === "N") && playing) return "notes";
  return playing ? STEPS[event.key] ?? null : null;
}

// Whether a field or a dialog has the focus, in the page or inside a component; a slider keeps the keys that move it,
// and a button its space bar.
function taken(event) {
  if (document.querySelector("[role=dialog][aria-modal=true], [data-testid=stDialog]")) return true;
  if (within(event, TYPING) || event.composedPath().some((node) => node.isContentEditable)) return true;
  if (OF_A_SLIDER.includes(event.key) && within(event, SLIDER)) return true;
  return event.key === " " && within(event, "button, a, summary, [role=button]");
}

function within(event, selector) {
  return event.composedPath().some((node) => node instanceof Element && node.matches(selector));
}

// How tall the window is: the largest of STAGES that it has room for.
function stage() {
  return STAGES.filter((one) => innerHeight >= 715 * one).at(-1) ?? STAGES[0];
}

// Bring the part of the page where the scene begins below the bar, as soon as it is there, until a hand moves the page;
// in the presenter view its picture takes what the window has left.
function begin(here, { scroll }) {
  const main = document.querySelector("[data-testid=stMain]");
  if (!main) return;
  clearTimeout(here.wait);
  const { focus, presenting } = here.data, root = document.documentElement.style;
  if (!presenting) root.removeProperty("--sl-fit");
  root.setProperty("--sl-tail", presenting && focus ? "70vh" : "2rem");
  if (scroll) main.scrollTop = 0;
  if (!presenting && !(scroll && focus)) return;
  const end = performance.now() + 12000;
  let still = 0, moved = !scroll || !focus;
  const stop = () => { moved = true; };
  const kinds = ["wheel", "pointerdown", "touchstart"];
  for (const kind of kinds) document.addEventListener(kind, stop, { once: true, passive: true, capture: true });
  const look = () => {
    const settled = still > 12 || performance.now() > end;
    if (settled || moved) for (const kind of kinds) document.removeEventListener(kind, stop, { capture: true });
    if ((settled || moved) && !presenting) return;
    const part = focus ? parts(main)[focus - 1] : null;
    const off = part && !moved && !settled ? part.getBoundingClientRect().top - barEnd() - 14 : 0;
    if (Math.abs(off) > 2) main.scrollTop += off;
    const fitted = presenting && fit(main, part, settled);
    const restless = Math.abs(off) > 2 || fitted || (focus && !part) || running();
    if (!settled) still = restless ? 0 : still + 1;
    here.wait = setTimeout(look, settled ? 600 : 120);
  };
  look();
}

function running() {
  return document.querySelector("[data-testid=stApp]")?.dataset.testScriptState !== "notRunning";
}

// Give the pictures of the part the height that is left below what stands above them; true where that changed it.
// only: once they have come to rest they only become less tall, where they would be cut.
function fit(main, part, only) {
  const from = part ? part.getBoundingClientRect().top : -Infinity;
  const all = pictures(main).map((one) => one.getBoundingClientRect()).filter((box) => box.height && box.top >= from);
  if (!all.length) return false;
  const first = Math.min(...all.map((box) => box.top));
  const row = all.filter((box) => box.top < first + 150);
  const top = Math.max(...row.map((box) => box.top));
  const above = part ? top - from + barEnd() + 14 : top + main.scrollTop;
  const height = Math.max(LEAST, Math.floor(innerHeight - above - BELOW));
  const now = parseFloat(document.documentElement.style.getPropertyValue("--sl-fit")) || 0;
  if (Math.abs(now - height) < 2 || (only && height > now)) return false;
  document.documentElement.style.setProperty("--sl-fit", `${height}px`);
  return true;
}

// The pictures that take the height they are given.
function pictures(main) {
  return [...main.querySelectorAll("[data-testid=stBidiComponentIsolated]")]
    .filter((host) => host.shadowRoot?.querySelector(".chart.grows"));
}

function barEnd() {
  const bar = document.querySelector(".st-key-scene-bar");
  return bar ? bar.getBoundingClientRect().bottom : 0;
}

// The page's parts after its opening: answers, those that follow the hand among them, and sections.
function parts(main) {
  const all = [...main.querySelectorAll(".sl-answer, .sl-section, [data-testid=stBidiComponentIsolated]")]
    .filter((one) => !one.shadowRoot || one.shadowRoot.querySelector("h1"));
  return all.length && !all[0].matches(".sl-section") ? all.slice(1) : all;
}
