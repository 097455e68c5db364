// Before a talk: what only the browser sees, measured once for every turn that Python asks for, and sent once.

export default function ({ data, parentElement, setStateValue }) {
  const here = (parentElement.live ??= { turn: null });
  here.send = (seen) => setStateValue("seen", seen);
  if (here.turn === data.turn) return;
  here.turn = data.turn;
  look(data, parentElement).then((seen) => { if (here.turn === data.turn) here.send(seen); });
}

async function look(data, parentElement) {
  await document.fonts.ready;
  const family = getComputedStyle(parentElement.host ?? parentElement).fontFamily;
  return {
    turn: data.turn,
    han: drawn(data.signs, data.nobodys, family),
    host: location.hostname,
    strangers: strangers(),
    online: navigator.onLine,
    width: window.innerWidth,
    height: window.innerHeight,
    ratio: window.devicePixelRatio,
    frame_ms: await frame(),
    redraw_ms: redraw(),
  };
}

// Whether each sign is drawn as itself: none blank, none as the box of a missing one, no two alike.
function drawn(signs, nobodys, family) {
  const canvas = Object.assign(document.createElement("canvas"), { width: 48, height: 48 });
  const pen = canvas.getContext("2d", { willReadFrequently: true });
  pen.font = `36px ${family}`;
  const picture = (sign) => {
    pen.clearRect(0, 0, 48, 48);
    pen.fillText(sign, 4, 38);
    return pen.getImageData(0, 0, 48, 48).data.join();
  };
  const seen = new Set([...signs].map(picture));
  return seen.size === [...signs].length && !seen.has(picture(" ")) && !seen.has(picture(nobodys));
}

// Other hosts that anything on this page was asked from.
function strangers() {
  const asked = performance.getEntriesByType("resource").map((entry) => entry.name);
  const named = [...document.querySelectorAll("script[src], link[rel~=stylesheet][href], img[src], iframe[src]")];
  const hosts = [...asked, ...named.map((one) => one.src || one.href)].map((address) => {
    try {
      const url = new URL(address, location.href);
      return /^(https?|wss?):$/.test(url.protocol) ? url.host : location.host;
    } catch { return location.host; }
  });
  performance.setResourceTimingBufferSize(4000);
  return [...new Set(hosts)].filter((host) => host !== location.host);
}

// The median time from one frame to the next, in milliseconds; null where none comes, as in a hidden window.
function frame() {
  return new Promise((done) => {
    const times = [];
    const late = setTimeout(() => done(null), 2000);
    const next = (now) => {
      times.push(now);
      if (times.length < 32) return requestAnimationFrame(next);
      clearTimeout(late);
      done(middle(times.slice(1).map((time, i) => time - times[i]), 0.5));
    };
    requestAnimationFrame(next);
  });
}

// How long a live chart took for nine of ten redraws in this tab; null where none was dragged.
function redraw() {
  const frames = window.scalingLab?.frames ?? [];
  return frames.length < 8 ? null : middle(frames, 0.9);
}

function middle(values, share) {
  return [...values].sort((a, b) => a - b)[Math.floor(share * (values.length - 1))];
}
