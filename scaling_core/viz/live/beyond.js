// Beyond the optimum: models of one loss that are served or kept small, row for row what scaling_core/viz/beyond.py
// makes, with the formulas of scaling_core/optimum/inference.py and overtraining.py.

// The loss that C buys at best: ln s of it, and the training that does.
function targetOf(k, C) {
  return { log_s: k.log_K - k.gamma * log(C / 6), best: optimum(k, C) };
}

// [ln N, ln D] where s is given and w is the logit of the model's share of it.
function shared(k, log_s, w) {
  return [(k.log_A - log_s + logAddExp(0, -w)) / k.alpha, (k.log_B - log_s + logAddExp(0, w)) / k.beta];
}

function bestLogit(k) {
  return log(k.beta / k.alpha);
}

// Where a function that rises crosses zero within its bracket, by halving down to the last bit.
function risingRoot(f, low, high) {
  for (let i = 0; i < 200; i += 1) {
    const middle = 0.5 * (low + high);
    if (middle <= low || middle >= high) break;
    if (f(middle) >= 0) high = middle;
    else low = middle;
  }
  return high;
}

// The cheapest model of the loss to train and then to serve.
function servedOptimum(k, C, served) {
  const { log_s, best } = targetOf(k, C), w_best = bestLogit(k), log_third = log(served) - log(3);
  let [N, D] = [best.N, best.D];
  if (served > 0) {
    const lag = (w) => logAddExp(0, log_third - shared(k, log_s, w)[1]);
    const w = risingRoot((w) => w - w_best - lag(w), w_best, w_best + lag(w_best));
    [N, D] = shared(k, log_s, w).map(exp);
  }
  const training = 6 * N * D, total = training + 2 * N * served, reference = C + 2 * best.N * served;
  return { N, D, training, total, best, saving: max(0, 1 - total / reference), ratio: D / N };
}

// ln D with which a model of N parameters reaches the loss, all data new; infinite where no data suffice. Where
// parameters in excess of the best size count for less, they need more than that.
function tokensFor(law, k, c, { log_s, best }, N, excess) {
  const log_u = k.log_A - k.alpha * log(N) - log_s;
  const log_D = log_u < 0 ? (k.log_B - log_s - log(-Math.expm1(log_u))) / k.beta : Infinity;
  if (!excess || N <= best.N) return log_D;
  const short = (x) => log_s - log(law.loss(N, exp(x), c) - k.floor) / k.power;
  return risingRoot(short, min(log_D, log(best.D)), log(best.D));
}

// Tokens served for which a size is the cheapest over its life.
function servedFor(law, k, c, target, N, excess) {
  const log_u = k.log_A - k.alpha * log(min(N, target.best.N)) - target.log_s;
  const odds = log_u < 0 ? Math.expm1(log_u - log(-Math.expm1(log_u)) - bestLogit(k)) : Infinity;
  return 3 * exp(tokensFor(law, k, c, target, min(N, target.best.N), excess)) * max(odds, 0);
}

function leastShare(k) {
  return exp(log(k.a) / k.alpha);
}

function merged(...lists) {
  return [...new Set(lists.flat())].sort((a, b) => a - b);
}

function lifetimeRows(law, k, c, args) {
  const [x, y] = ends(args), target = targetOf(k, c.C), best = args.amounts.map((one) => servedOptimum(k, c.C, one));
  const least = leastShare(k) * best[0].N;
  const close = geomspace(1e-6, 1, 60).map((part) => least * (1 + part));
  const sizes = merged(perDecade(x[0], x[1], 72), close).filter((N) => N >= x[0] && N <= x[1]);
  const tokens = sizes.map((N) => exp(tokensFor(law, k, c, target, N, args.excess)));
  const kind = (i) => (i === args.strong ? "strong" : "other"), ceiling = y[0] * pow(y[1] / y[0], 0.9);
  const family = args.amounts.map((amount, i) => sizes
    .map((N, j) => ({ N, total: 6 * N * tokens[j] + 2 * N * amount, line: String(i), kind: kind(i),
                      width: i === args.strong ? 4.5 : 2.2 }))
    .filter(({ total }) => total < 3 * y[1]));
  const path = geomspace(best[best.length - 1].N, best[0].N, 60);
  const last = (rows) => rows.filter(({ total }) => total <= ceiling).at(-1) ?? rows.at(-1);
  return {
    curves: family.flat(),
    ridge: path.map((N) => ({ N, total: 6 * N * exp(tokensFor(law, k, c, target, N, args.excess)) +
      2 * N * servedFor(law, k, c, target, N, args.excess) })),
    minima: best.map(({ N, total }, i) => ({ N, total, text: quantity(N), kind: kind(i), ...args.places[i] })),
    names: family.flatMap((rows, i) => (rows.length
      ? [{ N: last(rows).N, total: last(rows).total, text: args.names[i], kind: kind(i), dy: args.levels[i] }] : [])),
  };
}

// The model that spends `times` the compute for the loss that C buys at best.
function smallerModel(k, C, times) {
  const { log_s, best } = targetOf(k, C), start = bestLogit(k), sum = (w) => shared(k, log_s, w).reduce((a, b) => a + b);
  const here = sum(start), log_times = log(times);
  const high = logAddExp(0, start) + k.beta * (log_times + logAddExp(0, -start) / k.alpha);
  const w = times === 1 ? start : risingRoot((w) => sum(w) - here - log_times, start, max(high, start));
  const [N, D] = shared(k, log_s, w).map(exp);
  return { N, D, C: 6 * N * D, best, fraction: N / best.N, spent: exp(sum(w) - here), ratio: D / N, least: leastShare(k) };
}

// Where a trained model stands: its size and its compute over those of the least training for its own loss.
function standing(law, k, c, N, D) {
  const log_s = log(law.loss(N, D, c) - k.floor) / k.power, [best_N, best_D] = shared(k, log_s, bestLogit(k));
  return { f: exp(log(N) - best_N), ratio: exp(log(N) + log(D) - best_N - best_D) };
}

function overtrainingRows(law, k, c, args) {
  const [x, y] = ends(args), target = targetOf(k, args.budget), chosen = smallerModel(k, args.budget, args.times);
  const close = geomspace(1e-6, 1, 80).map((part) => chosen.least * (1 + part));
  const least_D = log(target.best.D);
  const curve = merged(close, perDecade(chosen.least * 1.01, x[1], 72)).map((f) =>
    ({ f, ratio: f * exp(tokensFor(law, k, c, target, f * target.best.N, args.excess) - least_D) }));
  const inside = ({ f, ratio }) => x[0] < f && f < x[1] && ratio < y[1] * 0.97;
  return {
    curve: curve.filter(({ ratio }) => ratio < 2 * y[1]),
    wall: [{ f: chosen.least, ratio: 0.8, text: filled(args.words.wall, { share: shareText(chosen.least) }) }],
    points: args.points.map(({ N, D, ...place }) => ({ ...place,
      ...(N ? standing(law, k, c, N, D) : { f: chosen.fraction, ratio: chosen.spent }) }))
      .filter((one) => one.kind === "chosen" || inside(one)),
  };
}

// A share in percent, in full digits: 31%, 0.03%.
function shareText(x) {
  return x >= 0.01 ? `${round(100 * x)}%` : `${Number((100 * x).toPrecision(1))}%`;
}

// ---- the sentences and numbers of the page, as scaling_core/ui/beyond.py says them

function servedSaid(data, law, k, c) {
  const w = data.words, found = servedOptimum(k, data.C, data.served), best = found.best;
  const [headline, detail] = found.saving < data.little ? w.hardly : w.smaller;
  const fields = { N: quantity(found.N), D: quantity(found.D), best_N: quantity(best.N), best_D: quantity(best.D),
    loss: lossText(best.loss), served: quantity(data.served), saved: percentText(found.saving, w),
    more: percentText(found.training / data.C - 1, w), less: percentText(1 - found.N / best.N, w) };
  return { question: w.question, headline: filled(headline, fields), detail: filled(detail, fields), line: w.line };
}

function servedNumbers(data, law, k, c) {
  const found = servedOptimum(k, data.C, data.served);
  const values = [percentText(found.saving, data.words), scientific(found.total), ratioText(found.ratio)];
  return { numbers: values.map((value, i) => [data.words.labels[i], value]), ghosts: [] };
}

function trainedSaid(data, law, k, c) {
  const w = data.words, found = smallerModel(k, data.C, data.times), best = found.best;
  const fields = { share: shareText(found.fraction), N: quantity(data.times > 1 ? found.N : best.N), D: quantity(found.D) };
  const detail = filled(w.detail, { loss: lossText(best.loss), ratio: ratioText(found.ratio),
    best_ratio: ratioText(best.D / best.N), share: shareText(found.least), least: quantity(found.least * best.N) });
  return { question: w.question, headline: filled(w.headline, fields), detail, line: "" };
}

function trainedNumbers(data, law, k, c) {
  const found = smallerModel(k, data.C, data.times);
  const demand = servedFor(law, k, c, targetOf(k, data.C), found.N, data.excess);
  const values = [shareText(found.fraction), ratioText(found.ratio), scientific(found.C), quantity(demand)];
  return { numbers: values.map((value, i) => [data.words.labels[i], value]), ghosts: [] };
}

Object.assign(ROWS, { lifetime: lifetimeRows, overtraining: overtrainingRows });
