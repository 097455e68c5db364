// What is dragged in one component and followed in others: a channel has the values of the moment and its listeners.

function lab() {
  return (window.scalingLab ??= { channels: {}, vega: null, waiting: [] });
}

function channel(name) {
  return (lab().channels[name] ??= { values: {}, listeners: new Set() });
}

function say(name, values, moving) {
  const here = channel(name);
  here.values = { ...here.values, ...values };
  for (const listen of here.listeners) listen(here.values, moving);
}

// Vega, once its bundle has come; at once from then on.
function vegaReady(then) {
  if (lab().vega) then(lab().vega);
  else lab().waiting.push(then);
}
