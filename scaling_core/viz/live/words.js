// Text that follows what is dragged: an answer in a sentence, a row of numbers, or what changed against a pinned law.

export default function ({ data, parentElement }) {
  const here = (parentElement.live ??= { frame: 0 });
  here.data = data;
  here.root = parentElement.querySelector(".words");
  here.listen ??= (values) => {
    here.next = values;
    here.frame ||= requestAnimationFrame(() => { here.frame = 0; write(here, now(here)); });
  };
  const to = channel(data.channel);
  to.listeners.add(here.listen);
  if (!to.moving) cancelAnimationFrame(here.frame), (here.frame = 0);
  write(here, to.moving ? computed(data, { ...data.values, ...to.values }) : data.said);
  return () => { to.listeners.delete(here.listen); cancelAnimationFrame(here.frame); };
}

// At rest, and for the values that Python answered for, what Python said stands there.
function now({ data, next }) {
  const answered = Object.entries(data.values).every(([name, value]) => (next[name] ?? value) === value);
  return answered && !channel(data.channel).moving ? data.said : computed(data, { ...data.values, ...next });
}

// What Python would say of these values: {question, headline, detail, line}, or {numbers, ghosts}.
function computed(data, values) {
  const law = compiled(data.law);
  return WRITERS[data.kind](data, law, law.core(values), values);
}

function write(here, said) {
  const html = said.numbers ? numbersHtml(said) : said.rows ? tableHtml(said) : answerHtml(said);
  if (here.html !== html) { here.html = html; here.root.innerHTML = html; }
}

function answerHtml({ question, headline, detail, line }) {
  return `<p class="question">${escaped(question)}</p><h1>${escaped(headline)}</h1>` +
    `<p class="detail">${escaped(detail)}</p>` +
    (line ? `<p class="line" title="${escaped(line)}">${escaped(line)}</p>` : "");
}

function numbersHtml({ numbers, ghosts }) {
  const blocks = numbers.map(([label, value, colour]) =>
    `<div class="figure"><div class="label">${colour ? `<span class="swatch" style="background:${escaped(colour)}"></span>` : ""}` +
    `${escaped(label)}</div><div class="value">${escaped(value)}</div></div>`);
  return `<div class="figures">${blocks.join("")}</div>` + ghosts.map((ghost) => `<p class="ghost">${escaped(ghost)}</p>`).join("");
}

// The verdicts in the order of STATUSES of ui/live_words.py.
const KINDS = ["under-trained", "over-trained", "near-optimal"];

function tableHtml({ head, rows, kinds }) {
  const last = head.length - 1, kind = (i) => (i === last ? ' class="word"' : "");
  const heads = head.map((name, i) => `<th${kind(i)}>${escaped(name)}</th>`).join("");
  const body = rows.map((cells, row) => "<tr>" + cells.map((cell, i) =>
    `<td${i === last ? ` class="word ${KINDS[kinds[row]]}"` : ""}>${escaped(cell)}</td>`).join("") + "</tr>");
  return `<div class="scroll"><table><thead><tr>${heads}</tr></thead><tbody>${body.join("")}</tbody></table></div>`;
}

const escaped = (text) => String(text).replace(/[&<>"']/g, (s) => `&#${s.charCodeAt(0)};`);

// "38%", or the words for next to nothing.
function percentText(share, words) {
  return share >= 0.005 ? `${Math.round(100 * share)}%` : words.under_one;
}

function answerSaid(data, law, k, c) {
  const [first, second] = data.models.map((m) => judge(law, k, c, m.N, m.D, data.near)), w = data.words;
  const degree = first.left >= data.near ? 0 : first.left >= 0.005 ? 1 : 2;
  const lost = filled(w.lost[degree], { N: quantity(first.N), D: quantity(first.D), loss: lossText(first.loss),
    best: lossText(first.best.loss), left: percentText(first.left, w) });
  const stands = filled(w.stands[second.status], { times: second.C / first.C, loss: lossText(second.loss) });
  const headline = filled(w.headline[first.status], { N: quantity(first.best.N), D: quantity(first.best.D) });
  return { question: w.question, headline, detail: filled(w.together, { first: lost, then: stands }), line: w.line };
}

function budgetSaid(data, law, k, c) {
  return { numbers: budgetNumbers(data, k, c), ghosts: data.ghosts.map((ghost, i) => change(data, ghost, k, c, i)) };
}

function modelSaid(data, law, k, c) {
  return { numbers: modelNumbers(data, law, k, c), ghosts: [] };
}

function budgetNumbers(data, k, c) {
  const best = optimum(k, c.C), w = data.words;
  return [[w.C, scientific(c.C)], [w.N, quantity(best.N)], [w.D, quantity(best.D)], [w.loss, lossText(best.loss)],
          [w.ratio, ratioText(best.D / best.N)]].filter((_, i) => i !== data.given);
}

function modelNumbers(data, law, k, c) {
  const parts = terms(law, k, c, c.N, c.D), w = data.words;
  return [[w.loss, lossText(law.loss(c.N, c.D, c))],
          ...["E", "N", "D"].map((term) => [w[term], lossText(parts[term]), data.colours[term]])];
}

// "Against Hoffmann 2022 the optimum moves from 40B on 2.4T to 12B on 8T, its loss by +0.03."
function change(data, ghost, k, c, place) {
  const old = compiled(ghost.law), was = optimum(old.core(ghost.constants), c.C), now = optimum(k, c.C), w = data.words;
  if (same(now, was)) return filled(place ? w.same : w.begin, { name: ghost.name });
  return filled(w.change, { name: ghost.name, N: quantity(was.N), D: quantity(was.D), N2: quantity(now.N),
    D2: quantity(now.D), loss: signed(now.loss - was.loss) });
}

// A row to a model, as `verdict_cells` of ui/words.py writes it.
function verdictsSaid(data, law, k, c) {
  const w = data.words, verdicts = data.models.map((m) => judge(law, k, c, m.N, m.D, data.near));
  const on = (N, D) => filled(w.on, { N: quantity(N), D: quantity(D) });
  const rows = verdicts.map((v, i) => [data.models[i].name, on(v.N, v.D), ratioText(v.D / v.N), scientific(v.C),
    lossText(v.loss), on(v.best.N, v.best.D), lossText(v.best.loss), lossText(v.loss - v.best.loss),
    percentText(v.left, w), w.status[v.status]]);
  return { head: w.head, rows, kinds: verdicts.map((v) => KINDS.indexOf(v.status)) };
}

const WRITERS = { answer: answerSaid, budget: budgetSaid, model: modelSaid, verdicts: verdictsSaid, served: servedSaid,
  served_numbers: servedNumbers, trained: trainedSaid, trained_numbers: trainedNumbers };
