// A chart that Vega draws. One that follows what is dragged computes its data anew for every frame, by `rows`; any other
// stands as Python sent it. What the window shows is drawn at once, the rest when nothing else is to be done.

const AHEAD = "12% 0px", WAIT = 400, KEPT = 60;

export default function ({ data, parentElement }) {
  const here = (parentElement.live ??= { view: null, spec: "", shown: "", frame: 0, near: false, wait: 0 });
  const box = parentElement.querySelector(".chart");
  box.setAttribute("aria-label", data.alt);
  here.data = data;
  if (data.law) {
    here.listen ??= (values) => due(here, box, { ...here.data.values, ...values });
    const to = channel(data.channel);
    to.listeners.add(here.listen);
    here.values = to.moving ? { ...data.values, ...to.values } : data.values;
  }
  here.eye ??= watched(here, box);
  due(here, box, here.values);
  return () => gone(here, data.law ? channel(data.channel) : null);
}

function gone(here, to) {
  to?.listeners.delete(here.listen);
  cancelAnimationFrame(here.frame);
  clearTimeout(here.wait);
  here.eye?.disconnect();
  here.watch?.disconnect();
  here.view?.finalize();
  Object.assign(here, { eye: null, watch: null, view: null, spec: "", shown: "", frame: 0, near: false });
}

// Tells when the box comes near the part of the page that the window shows.
function watched(here, box) {
  const main = box.getRootNode().host?.closest("[data-testid=stMain]") ?? null;
  const eye = new IntersectionObserver((seen) => {
    here.near = seen.at(-1).isIntersecting;
    if (here.near) paint(here, box);
  }, { root: main, rootMargin: AHEAD });
  eye.observe(box);
  return eye;
}

// There is something to draw: at once where it is seen, and otherwise once all has been quiet for a while.
function due(here, box, values) {
  here.values = values;
  here.stale = true;
  clearTimeout(here.wait);
  if (here.near) return paint(here, box);
  here.wait = setTimeout(() => whenIdle(() => { if (here.eye && box.clientWidth) paint(here, box); }), WAIT);
}

// One such picture after the other, so that the browser answers between them.
function whenIdle(draw) {
  const queue = (lab().queue ??= []);
  const ask = window.requestIdleCallback ?? ((call) => setTimeout(call, 30));
  const next = () => { queue.shift()(); if (queue.length) ask(next); };
  if (queue.push(draw) === 1) ask(next);
}

function paint(here, box) {
  if (!here.stale) return;
  here.stale = false;
  if (here.spec === here.data.spec) return schedule(here);
  here.spec = here.data.spec;
  embed(here, box);
}

async function embed(here, box) {
  const wanted = here.spec, vegaEmbed = await vega(here.data.vega), values = here.values;
  if (!here.eye || wanted !== here.data.spec) return;
  const rows = { ...rowsOf(here) }, told = here.told;
  const inner = document.createElement("div");
  inner.className = "plot";
  box.append(inner);
  const made = await vegaEmbed(inner, ...translated(wanted, rows));
  const old = [...box.children].filter((child) => child !== inner);
  if (here.spec !== wanted) return made.finalize(), inner.remove();
  here.view?.finalize();
  Object.assign(here, { view: made.view, shown: wanted, rows });
  for (const child of old) child.remove();
  here.watch?.disconnect();
  here.watch = new ResizeObserver(() => {
    const view = here.view, wide = box.clientWidth, tall = box.clientHeight;
    if (view && wide && (view.width() !== wide || view.height() !== tall)) view.width(wide).height(tall).runAsync();
  });
  here.watch.observe(box);
  drawn(here);
  if (here.values !== values || (told && told !== here.data.rows)) schedule(here);
}

// What Vega is given for a Vega-Lite text and its rows. The translation is kept, since pages are left and come back to.
function translated(text, rows) {
  const kept = (lab().kept ??= new Map()), before = kept.get(text);
  const fill = (spec) => {
    for (const one of spec.data) if (one.name in rows) one.values = rows[one.name];
    return spec;
  };
  const patch = (spec) => {
    kept.set(text, JSON.stringify(spec));
    if (kept.size > KEPT) kept.delete(kept.keys().next().value);
    return fill(spec);
  };
  const how = { actions: false, renderer: "canvas", hover: false, tooltip: { theme: "custom" } };
  if (before) return [fill(JSON.parse(before)), { ...how, mode: "vega" }];
  return [JSON.parse(text), { ...how, mode: "vega-lite", patch }];
}

// The rows of every data set: of a law at the values of the moment, or those that Python sent, column by column.
function rowsOf(here) {
  const { data } = here;
  if (data.law) {
    const law = compiled(data.law);
    return ROWS[data.kind](law, law.core(here.values), here.values, data.args);
  }
  if (here.told !== data.rows) {
    here.told = data.rows;
    here.still = Object.fromEntries(Object.entries(JSON.parse(data.rows)).map(([name, table]) => [name, turned(table)]));
  }
  return here.still;
}

function turned(table) {
  const names = Object.keys(table);
  return (table[names[0]] ?? []).map((_, k) => Object.fromEntries(names.map((name) => [name, table[name][k]])));
}

// At most one redraw a frame, whatever the number of events.
function schedule(here) {
  if (here.frame) return;
  here.frame = requestAnimationFrame(() => {
    here.frame = 0;
    if (!here.view || here.shown !== here.spec) return;
    for (const [name, rows] of Object.entries(rowsOf(here))) {
      if (here.rows[name] === rows) continue;
      here.view.change(name, here.view.changeset().remove(() => true).insert(rows));
      here.rows[name] = rows;
    }
    here.view.run();
    drawn(here);
  });
}

// When pictures that the window shows were drawn, for whoever watches.
function drawn(here) {
  if (!here.near) return;
  const frames = (lab().frames ??= []);
  frames.push(performance.now());
  if (frames.length > 4000) frames.splice(0, 2000);
}
