// A picture in a file of its own: drawn by Vega, and where it follows constants, with their sliders.

const made = JSON.parse(document.getElementById("made").textContent);
const box = document.getElementById("picture");

// Text is measured when the picture is laid out, so its font comes first.
const faces = [400, 600, 700].map((weight) => document.fonts.load(`${weight} 15px "Source Sans"`));
Promise.allSettled(faces).then(draw);

function draw() {
  if (made.live) {
    window.scalingLab = { channels: {}, vega: vegaEmbed };
    const knobs = made.live.panel.knobs;
    const hear = (_, { name, value, turn }) => {
      made.live.panel.heard = turn;
      const knob = knobs.find((one) => one.name === name);
      const number = typeof value === "number" ? value : readNumber(value);
      const good = number >= knob.least && number <= knob.most;
      if (good) knob.value = number;
      knob.wrong = good ? null : made.live.wrong;
      knob.written = null;
      mountPanel({ data: made.live.panel, parentElement: document.getElementById("knobs"), setStateValue: hear });
    };
    mountChart({ data: made.live.chart, parentElement: box });
    mountPanel({ data: made.live.panel, parentElement: document.getElementById("knobs"), setStateValue: hear });
    // The numbers are those of the export, and are shown while the picture is.
    const exported = Object.entries(made.live.chart.values), numbers = document.querySelector("dl");
    window.scalingLab.channels[made.live.panel.channel].listeners.add((values) => {
      numbers.style.visibility = exported.every(([name, value]) => values[name] === value) ? "" : "hidden";
    });
  } else {
    vegaEmbed(box, made.spec, { mode: "vega-lite", actions: false, renderer: "svg" });
  }
}

// A number as people write it: 70B, 1.4T, 5.76e23; NaN where it is none.
function readNumber(text) {
  const found = String(text).trim().match(/^([-+]?(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?)\s*([kmbt]?)$/i);
  return found ? Number(found[1]) * { "": 1, k: 1e3, m: 1e6, b: 1e9, t: 1e12 }[found[2].toLowerCase()] : NaN;
}
