// What a form asks for, as the signature of a model describes it: one input for each field that the model reads.
// Models without field names have one for each cell.

import {isBlank, nameText} from './dom.js';

/** The inputs of a signature, and how their values become a row. */
export function describeInputs(signature) {
  const named = describeFields(signature);
  const inputs = named ?? describeCells(signature);
  return {inputs, makeRow: named ? makeNamedRow : (values) => makeCells(inputs, values)};
}

function describeFields({fields, columns}) {
  if (!fields.length) return null;
  const cells = fields.reduce((count, field) => count + widthOf(field), 0);
  if (columns.some(({index}) => index >= cells || -index > cells)) return null;
  const byCell = groupByCell(columns, cells);
  const count = new Map();
  for (const {name} of fields) count.set(name, (count.get(name) ?? 0) + 1);
  let first = 0;
  const inputs = [];
  for (const field of fields) {
    const last = first + widthOf(field);
    const own = [];
    for (; first < last; first++) own.push(...(byCell.get(first) ?? []));
    own.sort((a, b) => a - b);
    if (own.length) inputs.push({columns: own, ...describeField(field, columns[own[0]], count.get(field.name) > 1)});
  }
  return inputs;
}

/** The positions of the columns that read each cell. */
function groupByCell(columns, width) {
  const groups = new Map();
  columns.forEach(({index}, position) => {
    const cell = index < 0 ? index + width : index;
    groups.set(cell, [...(groups.get(cell) ?? []), position]);
  });
  return groups;
}

function widthOf({encoding}) {
  if (encoding?.type === 'terms') return encoding.terms.length;
  if (encoding?.type === 'items') return encoding.items.length;
  return encoding?.type === 'number' && encoding.flags_missing ? 2 : 1;
}

function describeField(field, column, repeated) {
  const {id, name, encoding} = field;
  const described = {key: id, label: isBlank(name) ? id : nameText(name), name: repeated ? id : name, description: field.description ?? ''};
  if (repeated) described.label = `${nameText(name)} (${id})`;
  if (encoding?.type === 'terms') return {...described, kind: 'text', words: encoding.terms, typical: null};
  if (encoding?.type === 'items') {
    return {...described, kind: 'items', words: encoding.items, separator: separatorOf(encoding), typical: null};
  }
  if (column.type === 'categorical') return {...described, ...describeCategories(column, field)};
  return {
    ...described,
    ...describeNumber(column, field),
    prefix: encoding?.prefix ?? '',
    suffix: encoding?.suffix ?? '',
  };
}

function separatorOf({separator, separator_regexp: expression}) {
  return expression === null ? separator : expression === '\\n' ? '\n' : null;
}

function describeCells({columns}) {
  const width = Math.max(0, ...columns.map(({index}) => (index < 0 ? -index : index + 1)));
  return [...groupByCell(columns, width)]
    .sort(([a], [b]) => a - b)
    .map(([cell, own]) => {
      const [column] = own.map((position) => columns[position]);
      const described = {
        key: String(cell),
        cell,
        width,
        columns: own,
        label: `column ${cell}`,
        name: null,
        description: '',
      };
      const kind = column.type === 'categorical' ? describeCategories(column, {}) : describeNumber(column, {});
      return {...described, prefix: '', suffix: '', ...kind};
    });
}

/** The categories that the network knows; the typical one is the most frequent in training, else the first. */
function describeCategories({values}, {summary}) {
  const categories = [...new Set(values.filter((value) => value !== null))];
  const counts = new Map(summary?.counts);
  const [typical = null] = [...categories].sort((a, b) => (counts.get(b) ?? 0) - (counts.get(a) ?? 0));
  return {kind: 'category', categories, typical};
}

/** The range of training; if it is unknown, three standard deviations around the mean. */
function describeNumber({mean: average, stdev, missing, zero_value: zero, one_value: one}, {summary = {}}) {
  const mean = average ?? summary.mean ?? missing;
  const spread = stdev ?? summary.standard_deviation ?? null;
  let [minimum, maximum] = [summary.minimum ?? zero, summary.maximum ?? one];
  const known = minimum < maximum;
  if (!known) {
    const half = 3 * (spread || Math.abs(mean) || 1);
    [minimum, maximum] = [mean - half, mean + half];
  }
  const whole =
    known &&
    summary.counts?.length &&
    [minimum, maximum, ...summary.counts.map(([value]) => value)].every(Number.isInteger);
  const step = whole ? 1 : niceStep(maximum - minimum);
  if (!known) [minimum, maximum] = [roundTo(minimum, step), roundTo(maximum, step)];
  const center = summary.median ?? (average === undefined && zero !== undefined ? (minimum + maximum) / 2 : mean);
  const typical = roundTo(Math.min(Math.max(center, minimum), maximum), step);
  return {kind: 'number', minimum, maximum, known, step, typical, spread};
}

/** A step of 1, 2 or 5 times a power of ten: between 100 and 250 of them are a range. */
export function niceStep(range) {
  if (!(range > 0) || !Number.isFinite(range)) return 1;
  const power = 10 ** Math.floor(Math.log10(range / 100));
  return Number(
    [5, 2, 1]
      .map((factor) => factor * power)
      .find((step) => range / step >= 100)
      ?.toPrecision(1) ?? power,
  );
}

/** A number as the nearest multiple of a step, without the digits that binary fractions add. */
export function roundTo(value, step) {
  return Number((Math.round(value / step) * step).toPrecision(12));
}

function makeNamedRow(values) {
  return Object.fromEntries(values);
}

function makeCells(inputs, values) {
  const row = new Array(inputs[0]?.width ?? 0).fill(null);
  for (const {key, cell} of inputs) row[cell] = values.get(key) ?? null;
  return row;
}

/** The values that a form begins with, by key. */
export function typicalValues(inputs) {
  return new Map(inputs.map(({key, typical}) => [key, typical]));
}

/** Values drawn at random from the ranges and categories, by key. */
export function randomValues(inputs, random = Math.random) {
  return new Map(inputs.map((input) => [input.key, drawValue(input, random)]));
}

function drawValue(input, random) {
  switch (input.kind) {
    case 'number': {
      const {minimum, maximum, step, spread, typical} = input;
      const normal = Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
      const drawn = spread ? typical + spread * normal : minimum + (maximum - minimum) * random();
      return roundTo(Math.min(Math.max(drawn, minimum), maximum), step);
    }
    case 'category':
      return input.categories[Math.floor(random() * input.categories.length)] ?? null;
    default: {
      const words = Array.from({length: 3}, () => input.words[Math.floor(random() * input.words.length)] ?? '');
      return [...new Set(words)].join(input.kind === 'text' ? ' ' : (input.separator ?? ' '));
    }
  }
}

/** What a text field of a form has: a number if it is one, null if it is empty, else the text. */
export function readNumber(text) {
  const trimmed = text.trim();
  if (!trimmed) return null;
  return /^[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?$/i.test(trimmed) ? Number(trimmed) : trimmed;
}

/** Values as the fragment of a link. */
export function writeFragment(values) {
  return `#row=${encodeURIComponent(JSON.stringify(Object.fromEntries(values)))}`;
}

/** The values in the fragment of a link, as far as they suit the inputs; null if it has none. */
export function readFragment(fragment, inputs) {
  if (!fragment.startsWith('#row=')) return null;
  let record;
  try {
    record = JSON.parse(decodeURIComponent(fragment.slice(5)));
  } catch {
    return null;
  }
  if (typeof record !== 'object' || record === null || Array.isArray(record)) return null;
  const given = new Map(Object.entries(record));
  const suits = (value) => value === null || typeof value === 'string' || typeof value === 'number';
  return new Map(inputs.map(({key, typical}) => [key, suits(given.get(key)) ? given.get(key) : typical]));
}

/** A row as a member of JSON and as a call in Python, by field name; an array of cells without names. */
export function writeJson(inputs, row) {
  return JSON.stringify(nameFields(inputs, row), null, 2);
}

export function writePython(inputs, row) {
  const named = nameFields(inputs, row);
  const literal = (value) => (value === null ? 'None' : JSON.stringify(value));
  const entries = Array.isArray(named)
    ? `[${named.map(literal).join(', ')}]`
    : `{\n${Object.entries(named)
        .map(([name, value]) => `    ${literal(name)}: ${literal(value)},\n`)
        .join('')}}`;
  const lines = [
    'import sensenet',
    '',
    'model = sensenet.create_model("deepnet.json")  # the document of this page',
    `row = ${entries}`,
    `print(model.predict(${Array.isArray(named) ? '[row]' : 'row'}))`,
    '',
  ];
  return lines.join('\n');
}

function nameFields(inputs, row) {
  if (Array.isArray(row)) return row;
  return Object.fromEntries(inputs.map(({key, name}) => [name, row[key] ?? null]));
}
