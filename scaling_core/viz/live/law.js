// A law in the browser: its loss from the expression that Python gives, its optimum in closed form, and the numbers as
// the pages write them. Every function here has a twin in Python; tests/browser/test_live.py holds the two together.

const { abs, exp, floor, log, log10, max, min, pow, round, sign, sqrt } = Math;

// A law that can be asked with any constants. `made.loss` is an expression of N, D and the constants c.NAME; `made.core`
// holds those of ln A, alpha, ln B, beta, power and floor, see scaling_core/optimum/core.py.
function compileLaw(made) {
  const tools = "const { abs, exp, log, max, min, pow, sqrt } = Math; return ";
  const loss = new Function("N", "D", "c", tools + made.loss);
  const core = new Function("c", tools + "({" + Object.entries(made.core).map(([k, v]) => `${k}: ${v}`).join(",") + "})");
  return { loss, core: (c) => completed(core(c)) };
}

function completed(k) {
  k.log_G = (log(k.alpha / k.beta) + k.log_A - k.log_B) / (k.alpha + k.beta);
  k.a = k.beta / (k.alpha + k.beta);
  k.gamma = (k.alpha * k.beta) / (k.alpha + k.beta);
  k.log_K = logAddExp(k.log_A - k.alpha * k.log_G, k.log_B + k.beta * k.log_G);
  return k;
}

function logAddExp(x, y) {
  const top = max(x, y);
  return top === -Infinity ? top : top + Math.log1p(exp(-abs(x - y)));
}

// {N, D, loss} of the best model for a compute of C FLOP.
function optimum(k, C) {
  const x = log(C / 6);
  const N = exp(k.log_G + k.a * x);
  return { N, D: C / (6 * N), loss: k.floor + exp(k.power * (k.log_K - k.gamma * x)) };
}

// What a law says of a model of N parameters and D tokens: its loss, the best for its compute, the share of its compute
// that was left on the table, and the word for it.
function judge(law, k, c, N, D, near) {
  const C = 6 * N * D, best = optimum(k, C), loss = law.loss(N, D, c);
  const log_s = log(max(loss - k.floor, 1e-300)) / k.power;
  const needed = min(C, 6 * exp(min((k.log_K - log_s) / k.gamma, 690)));
  const left = (C - needed) / C;
  const status = left < near ? "near-optimal" : best.N < N ? "under-trained" : "over-trained";
  return { N, D, C, loss, best, needed, left, status };
}

// ---- numbers as the pages write them

function significant(x, digits) {
  if (x === 0) return "0";
  const power = floor(log10(abs(Number(abs(x).toExponential(digits - 1)))) + 1e-12);
  const text = Number(x.toPrecision(digits)).toFixed(max(0, digits - 1 - power));
  return text.includes(".") ? text.replace(/0+$/, "").replace(/\.$/, "") : text;
}

function quantity(x, digits = 3) {
  if (!Number.isFinite(x)) return "\u2013";
  const exact = x === 0 ? 0 : Number(x.toPrecision(digits)), size = abs(exact);
  if (size !== 0 && (size >= 1e15 || size < 1e-3)) {
    const [mantissa, power] = exact.toExponential(digits - 1).split("e");
    return `${significant(Number(mantissa), digits)}e${Number(power)}`;
  }
  for (const [least, suffix] of [[1e12, "T"], [1e9, "B"], [1e6, "M"], [1e3, "K"]])
    if (size >= least) return significant(exact / least, digits) + suffix;
  return significant(exact, digits);
}

function lossText(x) {
  if (!Number.isFinite(x)) return "\u2013";
  if (abs(x) < 9.9995) return x.toFixed(3);
  const [digits, power] = x.toExponential(3).split("e");
  return power < 4 ? String(Number(x.toPrecision(4))) : `${Number(digits)}e${power.slice(1).padStart(2, "0")}`;
}

function signed(x) {
  return (x < 0 ? "\u2212" : "+") + abs(x).toFixed(3);
}

function ratioText(x) {
  if (x >= 99.95 && x < 1e6) return round(x).toLocaleString("en-US");
  return x >= 1e6 || x < 1e-4 ? x.toExponential(2).replace(/\.?0+e/, "e").replace("e+", "e") : significant(x, 3);
}

function scientific(x) {
  const [mantissa, power] = (x * (1 + 1e-12)).toExponential(2).split("e");
  const raised = "10" + [...String(Number(power))].map((d) => "⁰¹²³⁴⁵⁶⁷⁸⁹"[d] ?? "⁻").join("");
  const short = mantissa.replace(/\.?0+$/, "");
  return short === "1" ? raised : `${short} × ${raised}`;
}

// A template with its {fields} filled in as Python does: {x:.1f} for decimals, doubled braces for one.
function filled(template, fields) {
  return template.replace(/\{\{|\}\}|\{(\w+)(?::\.(\d)f)?\}/g, (whole, name, decimals) =>
    !name ? whole[0] : decimals ? fields[name].toFixed(Number(decimals)) : String(fields[name] ?? ""));
}

// `count` values from low to high, evenly spaced in the logarithm, both ends exact.
function geomspace(low, high, count) {
  const step = log(high / low) / (count - 1);
  return Array.from({ length: count }, (_, i) => (i === 0 ? low : i === count - 1 ? high : low * exp(step * i)));
}
