// What is dragged in one component and followed in others: a channel has the values of the moment and its listeners.

function lab() {
  return (window.scalingLab ??= { channels: {}, vega: null });
}

function channel(name) {
  return (lab().channels[name] ??= { values: {}, listeners: new Set() });
}

function say(name, values, moving) {
  const here = channel(name);
  here.values = { ...here.values, ...values };
  for (const listen of here.listeners) listen(here.values, moving);
}

// What a panel that goes spoke for is no longer dragged, nor known: what Python says of it counts.
function leave(name, names) {
  const here = channel(name);
  if (names.includes(here.moving)) here.moving = null;
  here.values = Object.fromEntries(Object.entries(here.values).filter(([one]) => !names.includes(one)));
  for (const listen of here.listeners) listen(here.values, Boolean(here.moving));
}

// Vega, fetched once for the whole window; where that failed, the next chart asks again.
function vega(url) {
  const here = lab(), from = new URL(url, document.baseURI);
  if (here.failed) from.search = `?${here.failed}`;
  here.vega ??= import(from).then((made) => made.default, (error) => {
    here.vega = null;
    here.failed = (here.failed ?? 0) + 1;
    throw error;
  });
  return here.vega;
}
