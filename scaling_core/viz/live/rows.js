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
    ...bandRows(c, args),
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

// The band belongs to the budget that it was made for.
function bandRows(c, args) {
  return abs(c.C / args.C - 1) < 1e-9 ? { band: args.band, band_name: args.band_name } : { band: [], band_name: [] };
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

// The refits of two constants stay; the constants of the moment are a point among them, where they are others.
function cloudRows(law, k, c, args) {
  const here = args.pair.map((name) => c[name]), [x, y] = here, points = [args.base];
  const [along, up] = [args.x_domain, args.y_domain].map(([low, high], i) => (here[i] - low) / (high - low));
  if (x !== args.base.x || y !== args.base.y)
    points.push({ x, y, kind: "other", name: args.own, dx: 0, dy: up < 0.9 ? -17 : 17,
      align: along < 0.2 ? "left" : along > 0.8 ? "right" : "center" });
  return { cloud: args.cloud, region: args.region, points };
}

// The best sizes of the refits stay, at the budget that they were drawn for; that of the moment is a line.
function optimumRows(law, k, c, args) {
  const { bars, interval, ends, tokens, base, words, y } = args, [low, high] = args.x_domain;
  const N = optimum(k, args.C).N, left = log(N / low) < 0.5 * log(high / low), lines = [base];
  const text = filled(words.line, { name: words.own, value: quantity(N) });
  if (abs(log(base.N / N)) >= 5e-4)
    lines.push({ N, at: min(max(N, low), high), y, text, kind: "own", dx: left ? 7 : -7, align: left ? "left" : "right" });
  return { bars, interval, ends, tokens, lines };
}

// The models on the plane of N and D: the lines as Python drew them, or with the line of the moment as the strong one.
function planeRows(law, k, c, args) {
  const { budgets, budget_names, marks, own, others, twenty } = args;
  if (Object.keys(args.rest).every((name) => c[name] === args.rest[name])) return { budgets, budget_names, marks, ...args.kept };
  const [from, to] = [optimum(k, 1e18), optimum(k, 1e30)];
  const now = { ...own, N: [from.N, to.N], D: [from.D, to.D] }, every = [...others, now, twenty];
  return {
    budgets, budget_names, marks,
    lines: every.flatMap((line) => [0, 1].map((end) => ({ N: line.N[end], D: line.D[end], line: line.name,
      kind: line.kind, colour: line.colour, width: line === now ? 5 : 2.2 }))),
    line_names: edgeNames(every, args),
  };
}

// Names in the margin, level with where their lines leave at the right, or above where they leave at the top.
function edgeNames(lines, { x_domain, y_domain, plot: [width, height] }) {
  const ends = lines.map((line) => ({ line, end: exit(line, x_domain, y_domain) })).filter(({ end }) => end);
  const right = ends.filter(({ end }) => end[0] === x_domain[1]);
  const top = ends.filter(({ end }) => end[0] < x_domain[1]).sort((a, b) => a.end[0] - b.end[0]);
  const row = ({ line, end }, dx, dy, align) =>
    ({ N: end[0], D: end[1], text: line.name, colour: line.colour, dx, dy, align });
  const share = (value, [low, high]) => log(value / low) / log(high / low);
  const levels = right.map(({ end }) => height * (1 - share(end[1], y_domain)));
  const moved = spread(levels, 20, 8, height - 8), tiers = [];
  return [
    ...right.map((one, i) => row(one, 8, moved[i] - levels[i], "left")),
    ...top.map((one) => {
      const x = width * share(one.end[0], x_domain), found = tiers.findIndex((edge) => edge < x - one.line.half);
      const tier = found < 0 ? tiers.length : found;
      tiers[tier] = x + one.line.half + 6;
      return row(one, 0, -12 - 20 * tier, "center");
    }),
  ];
}

// Where a rising line leaves the plot, or null where it never enters.
function exit({ N, D }, [left, right], [bottom, top]) {
  const slope = log(D[1] / D[0]) / log(N[1] / N[0]), level = D[0] * pow(right / N[0], slope);
  if (level <= top) return level >= bottom ? [right, level] : null;
  const along = N[0] * pow(top / D[0], 1 / slope);
  return along >= left ? [along, top] : null;
}

// Positions moved as little as needed to be `gap` apart and within [low, high], order kept.
function spread(positions, gap, low, high) {
  const order = positions.map((_, i) => i).sort((a, b) => positions[a] - positions[b]);
  const moved = order.map((i) => min(max(positions[i], low), high)), last = moved.length - 1;
  for (let i = 1; i <= last; i += 1) moved[i] = max(moved[i], moved[i - 1] + gap);
  if (last >= 0 && moved[last] > high) {
    moved[last] = high;
    for (let i = last - 1; i >= 0; i -= 1) moved[i] = min(moved[i], moved[i + 1] - gap);
  }
  const result = [];
  order.forEach((place, i) => (result[place] = moved[i]));
  return result;
}

const ROWS = { isoflop: isoflopRows, slice: sliceRows, terms: termRows, cloud: cloudRows, optimum: optimumRows,
  plane: planeRows };

const _compiled = new Map();

function compiled(made) {
  const key = made.loss + JSON.stringify(made.core);
  if (!_compiled.has(key)) _compiled.set(key, compileLaw(made));
  return _compiled.get(key);
}
