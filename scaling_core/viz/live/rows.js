// The data sets of the live charts, row for row what scaling_core/viz/laws.py makes for the same law. Each function
// takes the law, its core, its constants with N, D and C among them, and what Python fixed for the picture.

const UNLIMITED = 1e36;

function ends(args) {
  return [args.x_domain, args.y_domain];
}

function perDecade(low, high, count) {
  return geomspace(low, high, max(2, round(log10(high / low) * count) + 1));
}

// One isoFLOP curve, cut a little above the plot.
function isoflopCurve(law, c, C, sizes, y, line, width) {
  const top = y[1] + 0.5 * (y[1] - y[0]), rows = [];
  for (const N of sizes) {
    const loss = law.loss(N, C / (6 * N), c);
    if (loss < top) rows.push({ N, loss, line, kind: line[0], width });
  }
  return rows;
}

// Where a curve leaves the plot on its right-hand side: there its name has room.
function rightEnd(rows, y) {
  const ceiling = y[0] + 0.95 * (y[1] - y[0]);
  let last = null, count = 0;
  for (const row of rows) if (row.loss <= ceiling) { last = row; count += 1; }
  const end = last ?? rows[rows.length - 1];
  return { N: end.N, loss: end.loss, dy: count < rows.length && count > 0 ? 0 : -12 };
}

function isoflopRows(law, k, c, args) {
  const [x, y] = ends(args), budgets = [-2, -1, 0, 1, 2].map((step) => c.C * pow(10, step));
  const sizes = perDecade(x[0], x[1], 24);
  const family = budgets.map((C, i) => isoflopCurve(law, c, C, sizes, y, String(i), i === 2 ? 4.5 : 2));
  const own = args.marks.filter((m) => abs(log((6 * m.N * m.D) / c.C)) > 1e-3);
  const owned = own.map((m) => isoflopCurve(law, c, 6 * m.N * m.D, sizes, y, `own ${m.name}`, 1.5));
  const ridge = geomspace(budgets[0] / 30, budgets[4] * 30, 60).map((C) => optimum(k, C));
  const minima = budgets.map((C) => optimum(k, C));
  const losses = args.marks.map((m) => law.loss(m.N, m.D, c));
  return {
    curves: [...family, ...owned].flat(),
    ridge: ridge.map(({ N, loss }) => ({ N, loss })),
    minima: minima.map(({ N, loss }) => ({ N, loss })),
    names: family.flatMap((rows, i) =>
      rows.length ? [{ ...rightEnd(rows, y), kind: String(i), text: `${scientific(budgets[i])} FLOP` }] : []),
    steps: args.marks.flatMap((m, i) => {
      const best = optimum(k, 6 * m.N * m.D);
      return m.strong ? [{ N: m.N, loss: losses[i], N2: best.N, loss2: best.loss }] : [];
    }),
    marks: args.marks.map(({ strong, D, ...place }, i) => ({ ...place, loss: losses[i] })),
    ...ghostRows(k, c, sizes, y, args),
  };
}

// The curve and the optimum of each pinned law at the budget of the moment.
function ghostRows(k, c, sizes, y, args) {
  const curves = [], points = [], now = optimum(k, c.C);
  for (const ghost of args.ghosts) {
    const law = compiled(ghost.law), old = law.core(ghost.constants), best = optimum(old, c.C);
    if (same(now, best)) continue;
    const rows = isoflopCurve(law, ghost.constants, c.C, sizes, y, ghost.name, 2);
    curves.push(...rows.map(({ N, loss }) => ({ N, loss, name: ghost.name })));
    points.push({ N: best.N, loss: best.loss, name: ghost.name });
  }
  return { ghosts: curves, ghost_minima: points };
}

// Whether two optima are the same to the eye.
function same(one, two) {
  return abs(log(one.N / two.N)) < 5e-4 && abs(one.loss - two.loss) < 5e-4;
}

function sliceRows(law, k, c, args) {
  const [x, y] = ends(args), along = args.variable, grid = perDecade(x[0], x[1], 16);
  const at = (value, other) => (along === "N" ? law.loss(value, other, c) : law.loss(other, value, c));
  const fixed = along === "N" ? c.D : c.N;
  const here = grid.map((value) => at(value, fixed)), free = grid.map((value) => at(value, UNLIMITED));
  const nearest = (losses, share) => {
    const level = y[0] + share * (y[1] - y[0]);
    return losses.reduce((best, loss, i) => (abs(loss - level) < abs(losses[best] - level) ? i : best), 0);
  };
  const first = nearest(here, 0.8), low = max(nearest(free, 0.3), floor(grid.length / 2));
  const words = args.words;
  return {
    curves: [...here.map((loss, i) => ({ x: grid[i], loss, line: "here" })),
             ...free.map((loss, i) => ({ x: grid[i], loss, line: "free" }))],
    names: [
      { x: grid[first], loss: here[first], text: filled(words.with, { n: quantity(fixed) }), line: "here",
        dx: 12, dy: -4, align: "left" },
      { x: grid[low], loss: free[low], text: words.unlimited, line: "free", dx: -12, dy: 6, align: "right" },
    ],
    floor: [{ x: x[1], loss: k.floor, text: k.floor ? filled(words.floor, { loss: lossText(k.floor) }) : "" }],
    point: [{ x: along === "N" ? c.N : c.D, loss: law.loss(c.N, c.D, c) }],
  };
}

// The three terms of a loss, {E, N, D}: the floor, and what is above it shared out as the two summands are.
function terms(law, k, c, N, D) {
  const above = law.loss(N, D, c) - k.floor, s = pow(above, 1 / k.power);
  const data = (above * exp(k.log_B - k.beta * log(D))) / s;
  return { E: k.floor, N: above - data, D: data };
}

function termRows(law, k, c, args) {
  const best = optimum(k, 6 * c.N * c.D);
  const both = [terms(law, k, c, c.N, c.D), terms(law, k, c, best.N, best.D)];
  const sums = both.map((one) => one.E + one.N + one.D);
  return {
    bars: both.flatMap((one, i) => ["E", "N", "D"].map((term, order) => ({ row: args.rows[i], term, value: one[term], order }))),
    sums: sums.map((value, i) => ({ row: args.rows[i], value, text: lossText(value) })),
  };
}

const ROWS = { isoflop: isoflopRows, slice: sliceRows, terms: termRows };

const _compiled = new Map();

function compiled(made) {
  const key = made.loss + JSON.stringify(made.core);
  if (!_compiled.has(key)) _compiled.set(key, compileLaw(made));
  return _compiled.get(key);
}
