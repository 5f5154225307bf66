// What each field adds to an answer: Shapley values against typical rows, as docs/explanation.md of sensenet defines
// them. Python computes the same.

const TYPICAL_ROWS = 64;
const EXACT_FIELDS = 10;
const LEAST_PAIRS = 256;
const NUMBERS_AT_ONCE = 1 << 20;
const STEP = 0x6d2b79f5;

// The upper half of the quantiles of the standard normal distribution at (k + 0.5) / 64.
const NORMAL = [
  0.019584285230126924, 0.05878293606894306, 0.09807215248866105, 0.13751340214433588, 0.1771698209917398,
  0.21710694721012969, 0.25739352610093824, 0.29810241293048695, 0.3393116065388173, 0.38110545476355645,
  0.4235760842011995, 0.4668251228525896, 0.5109658067382474, 0.5561255936186913, 0.6024494531644237,
  0.6501040706479952, 0.6992833023832199, 0.7502153754679404, 0.8031725655979177, 0.858484474141832, 0.9165566675331125,
  0.977897543940542, 1.043158263318454, 1.1131942771609284, 1.1891643501993368, 1.2726986411905357, 1.3662038163720984,
  1.4734675779471014, 1.6010086648860757, 1.7616704103630663, 1.9874278859298957, 2.417559016236505,
];

/** The numbers that a network reads of typical rows: one after another, for the inputs of a form. */
export function makeBackground(model, inputs, makeRow) {
  const {fields, columns} = model.signature;
  const byId = new Map(fields.map((field) => [field.id, field]));
  const values = inputs.map((input) => typicalOnes(byId.get(input.key), columns[input.columns[0]]));
  const orders = inputs.map((_, number) => shuffle(TYPICAL_ROWS, number));
  const rows = Array.from({length: TYPICAL_ROWS}, (_, row) =>
    makeRow(new Map(inputs.map(({key}, number) => [key, values[number][orders[number][row]]]))),
  );
  return model.encode(rows);
}

function typicalOnes(field, column) {
  const quantile = findQuantile(field, column);
  return Array.from({length: TYPICAL_ROWS}, (_, k) => quantile((k + 0.5) / TYPICAL_ROWS, k));
}

/** The value of a field at a probability p, which is that of number k. */
function findQuantile(field, column) {
  const summary = field?.summary ?? {};
  if (['terms', 'items'].includes(field?.encoding?.type)) return () => null;
  if (summary.counts?.some(([, count]) => count > 0)) return countedQuantile(summary);
  if (column.type !== 'categorical') return numberQuantile(summary, column);
  const values = [...new Set(column.values.filter((value) => value !== null))];
  return (p) => values[Math.trunc(p * values.length)] ?? null;
}

function countedQuantile({counts, missing = 0}) {
  const all = missing ? [...counts, [null, missing]] : counts;
  const total = all.reduce((sum, [, count]) => sum + count, 0);
  let sum = 0;
  const ends = all.map(([, count]) => (sum += count) / total);
  return (p) => all[ends.findIndex((end) => end > p)][0];
}

function numberQuantile(summary, column) {
  const mean = summary.mean ?? column.mean;
  const deviation = summary.standard_deviation ?? column.stdev;
  const {minimum, maximum, median} = summary;
  if (mean !== undefined && deviation > 0) {
    const normal = (k) => (k < TYPICAL_ROWS / 2 ? -NORMAL[TYPICAL_ROWS / 2 - 1 - k] : NORMAL[k - TYPICAL_ROWS / 2]);
    return (p, k) => Math.min(Math.max(mean + deviation * normal(k), minimum ?? -Infinity), maximum ?? Infinity);
  }
  if (minimum < maximum) return (p) => minimum + p * (maximum - minimum);
  const {zero_value: zero, one_value: one} = column;
  if (zero !== undefined && one !== undefined) return (p) => (p < 0.5 ? zero : one);
  return () => median ?? mean ?? minimum ?? null;
}

/** Random number n of the seed 0: mulberry32. */
function randomNumber(n) {
  const a = Math.imul(n + 1, STEP);
  let t = Math.imul(a ^ (a >>> 15), a | 1);
  t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
  return (t ^ (t >>> 14)) >>> 0;
}

/** Order number `order` of 0 … size - 1. */
export function shuffle(size, order) {
  const places = Array.from({length: size}, (_, place) => place);
  let n = order * (size - 1);
  for (let place = size - 1; place > 0; place--) {
    const other = Math.floor((randomNumber(n++) * (place + 1)) / 2 ** 32);
    [places[other], places[place]] = [places[place], places[other]];
  }
  return places;
}

/**
 * What each field adds: {contributions, answer, expectation, exact}; contributions are lists of outputs, by field.
 *
 * `row` and `background` are numbers that the network reads, of one and of several rows; `players` has the positions of
 * the columns of each field.
 */
export function explain(model, row, background, players) {
  const game = {model, row, background, players, rows: background.length / row.length};
  return players.length > EXACT_FIELDS ? estimate(game) : solve(game);
}

/** Answers for rows that are mixed: each a set of fields of the row, and the number of a row of the background. */
function answerMixed({model, row, background, players}, mixes) {
  const width = row.length;
  const numbers = new Float32Array(mixes.length * width);
  mixes.forEach(([has, other], i) => {
    numbers.set(background.subarray(other * width, (other + 1) * width), i * width);
    players.forEach((columns, player) => {
      if (has(player)) for (const column of columns) numbers[i * width + column] = row[column];
    });
  });
  return model.compute(numbers);
}

/** Exactly, from all sets of fields. */
function solve(game) {
  const {
    players,
    rows,
    row,
    model: {outputs},
  } = game;
  const sets = 1 << players.length;
  const values = new Float64Array(sets * outputs);
  const atOnce = Math.max(1, Math.floor(NUMBERS_AT_ONCE / (rows * row.length)));
  for (let start = 0; start < sets; start += atOnce) {
    const some = Array.from({length: Math.min(atOnce, sets - start)}, (_, i) => start + i);
    const mixes = some.flatMap((set) =>
      Array.from({length: rows}, (_, other) => [(player) => set & (1 << player), other]),
    );
    const answers = answerMixed(game, mixes);
    answers.forEach((answer, i) => {
      values[(start + Math.floor(i / (rows * outputs))) * outputs + (i % outputs)] += answer / rows;
    });
  }
  const count = players.length;
  const weights = Array.from({length: count}, (_, size) => 1 / (count * choose(count - 1, size)));
  const contributions = players.map((_, player) => {
    const sums = new Array(outputs).fill(0);
    for (let set = 0; set < sets; set++) {
      if (set & (1 << player)) continue;
      const weight = weights[bits(set)];
      const other = set | (1 << player);
      for (let k = 0; k < outputs; k++) sums[k] += weight * (values[other * outputs + k] - values[set * outputs + k]);
    }
    return sums;
  });
  return {contributions, answer: [...values.slice(-outputs)], expectation: [...values.slice(0, outputs)], exact: true};
}

function choose(n, k) {
  let result = 1;
  for (let i = 1; i <= k; i++) result = (result * (n - k + i)) / i;
  return result;
}

function bits(set) {
  let count = 0;
  for (let rest = set; rest; rest &= rest - 1) count++;
  return count;
}

/** From random orders, each forwards and backwards: equally many for each row of the background. */
function estimate(game) {
  const {
    players,
    rows,
    model: {outputs},
  } = game;
  const count = players.length;
  const pairs = Math.max(2, Math.ceil(LEAST_PAIRS / rows));
  const contributions = players.map(() => new Array(outputs).fill(0));
  const expectation = new Array(outputs).fill(0);
  const answer = new Array(outputs).fill(0);
  for (let other = 0; other < rows; other++) {
    for (let pair = 0; pair < pairs; pair++) {
      const order = shuffle(count, other * pairs + pair);
      for (const some of [order, [...order].reverse()]) {
        const ranks = new Array(count);
        some.forEach((player, rank) => {
          ranks[player] = rank;
        });
        const mixes = Array.from({length: count + 1}, (_, added) => [(player) => ranks[player] < added, other]);
        const answers = answerMixed(game, mixes);
        some.forEach((player, added) => {
          for (let k = 0; k < outputs; k++) {
            const change = answers[(added + 1) * outputs + k] - answers[added * outputs + k];
            contributions[player][k] += change / (2 * pairs * rows);
          }
        });
        if (pair || some !== order) continue;
        for (let k = 0; k < outputs; k++) {
          expectation[k] += answers[k] / rows;
          answer[k] += answers[count * outputs + k] / rows;
        }
      }
    }
  }
  return {contributions, answer, expectation, exact: false};
}
