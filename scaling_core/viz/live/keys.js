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

export default function ({ data, parentElement, setTriggerValue, setStateValue }) {
  const here = (parentElement.live ??= { begun: null, wait: 0, held: false });
  here.data = data;
  here.send = (said) => setTriggerValue("said", said);
  here.measure = () => { if (stage() !== here.data.stage) setStateValue("stage", stage()); };
  here.listen ??= (event) => {
    const said = meaning(event, here);
    if (said === null) return;
    event.preventDefault();
    if (event.repeat) return;
    if (said === "present") here.measure();
    here.send(said);
  };
  here.hold ??= (event) => { here.held = event.type === "pointerdown" && within(event, SLIDER); };
  here.resize ??= () => {
    clearTimeout(here.later);
    here.later = setTimeout(() => { if (here.data.presenting) here.measure(), begin(here, { scroll: false }); }, 250);
  };
  listening(here, true);
  const begun = JSON.stringify([data.turn, data.presenting, data.page, data.stage, data.language]);
  const turned = here.turn !== data.turn;
  if (here.begun !== begun) {
    here.begun = begun;
    here.turn = data.turn;
    if (data.presenting) here.measure();
    begin(here, { scroll: turned });
  }
  return () => {
    listening(here, false);
    clearTimeout(here.wait);
    clearTimeout(here.later);
  };
}

function listening(here, on) {
  const set = on ? "addEventListener" : "removeEventListener";
  document[set]("keydown", here.listen);
  for (const kind of ["pointerdown", "pointerup", "pointercancel"]) document[set](kind, here.hold, true);
  window[set]("resize", here.resize);
}

// What a key means, or null where it is somebody else's.
function meaning(event, here) {
  const { playing, presenting } = here.data;
  if (event.defaultPrevented || event.isComposing) return null;
  if (event.ctrlKey || event.metaKey || event.altKey || event.shiftKey) return null;
  if (here.held || taken(event)) return null;
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
  const live = [...main.querySelectorAll("[data-testid=stBidiComponentIsolated]")];
  return [...main.querySelectorAll('[class*="st-key-plot-area-"]'),
          ...live.filter((host) => host.shadowRoot?.querySelector(".chart.grows"))];
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
