// A chart that follows what is dragged: Vega draws it, `rows` computes its data anew for every frame.

export default function ({ data, parentElement }) {
  const here = (parentElement.live ??= { view: null, spec: "", frame: 0, drawn: 0 });
  const box = parentElement.querySelector(".chart");
  box.setAttribute("aria-label", data.alt);
  here.data = data;
  here.listen ??= (values) => schedule(here, values);
  const to = channel(data.channel);
  to.listeners.add(here.listen);
  here.leave = () => {
    to.listeners.delete(here.listen);
    cancelAnimationFrame(here.frame);
    here.watch?.disconnect();
    here.view?.finalize();
    here.view = null;
    here.spec = "";
  };
  const values = to.moving ? { ...data.values, ...to.values } : data.values;
  if (here.spec !== data.spec || !here.view) {
    here.spec = data.spec;
    vegaReady((vegaEmbed) => embed(vegaEmbed, here, box, values));
  } else schedule(here, values);
  return here.leave;
}

async function embed(vegaEmbed, here, box, values) {
  const data = here.data, spec = JSON.parse(data.spec);
  spec.datasets = rowsOf(data, values);
  const rows = { ...spec.datasets };
  const inner = document.createElement("div");
  inner.className = "plot";
  box.append(inner);
  const made = await vegaEmbed(inner, spec, { actions: false, renderer: "canvas", tooltip: false });
  const old = [...box.children].filter((child) => child !== inner);
  if (here.spec !== data.spec) return made.finalize(), inner.remove();
  here.view?.finalize();
  here.view = made.view;
  here.rows = rows;
  for (const child of old) child.remove();
  here.watch?.disconnect();
  here.watch = new ResizeObserver(() => {
    if (here.view && box.clientWidth) here.view.width(box.clientWidth).height(box.clientHeight).runAsync();
  });
  here.watch.observe(box);
  if (here.next) schedule(here, here.next);
}

function rowsOf(data, values) {
  const law = compiled(data.law);
  return ROWS[data.kind](law, law.core(values), values, data.args);
}

// At most one redraw a frame, whatever the number of events.
function schedule(here, values) {
  here.next = values;
  if (here.frame) return;
  here.frame = requestAnimationFrame(() => {
    here.frame = 0;
    if (!here.view) return;
    for (const [name, rows] of Object.entries(rowsOf(here.data, here.next))) {
      if (here.rows[name] === rows) continue;
      here.view.change(name, here.view.changeset().remove(() => true).insert(rows));
      here.rows[name] = rows;
    }
    here.view.run();
    here.drawn += 1;
    (window.scalingLab.frames ??= []).push(performance.now());
    if (window.scalingLab.frames.length > 4000) window.scalingLab.frames.splice(0, 2000);
  });
}
