// Predicts with a deepnet that sensenet compiled to WebAssembly. model.wasm has its code and weights, and describes
// its rows and answers. Needs nothing else: no package, no other file.
//
//   import {load} from './model.js';
//   const model = await load();
//   model.predict({'petal length': 1.4, 'petal width': 0.2});

/** Load model.wasm next to this module, or from a URL, a response of fetch, bytes, or a WebAssembly.Module. */
export async function load(source = new URL('model.wasm', import.meta.url)) {
  const module = await compile(await source);
  return new Model(module, await WebAssembly.instantiate(module));
}

async function compile(source) {
  if (source instanceof WebAssembly.Module) return source;
  if (typeof source === 'string' || source instanceof URL) {
    const url = new URL(source, import.meta.url);
    if (url.protocol === 'file:' && typeof process === 'object') {
      const {readFile} = await import(/* webpackIgnore: true */ /* @vite-ignore */ 'node:fs/promises');
      return WebAssembly.compile(await readFile(url));
    }
    source = await fetch(url);
  }
  if (typeof Response === 'undefined' || !(source instanceof Response)) return WebAssembly.compile(source);
  if (!source.ok) throw new Error(`cannot load ${source.url}: status ${source.status}`);
  const streams = WebAssembly.compileStreaming && source.headers.get('content-type') === 'application/wasm';
  return streams ? WebAssembly.compileStreaming(source) : WebAssembly.compile(await source.arrayBuffer());
}

export class Model {
  #description;
  #run;
  #input;
  #output;
  #rows;
  #missing;

  /** Made by `load`. */
  constructor(module, instance) {
    const [section] = WebAssembly.Module.customSections(module, 'sensenet');
    if (!section) throw new Error('sensenet did not make this module: it has no section sensenet');
    this.#description = JSON.parse(new TextDecoder().decode(section));
    const {columns, outputs, capacity, rows, answers} = this.#description;
    const {run, memory} = instance.exports;
    this.#run = run;
    this.#input = new Float32Array(memory.buffer, rows, capacity * columns);
    this.#output = new Float32Array(memory.buffer, answers, capacity * outputs);
    this.#rows = new RowEncoder(this.signature);
    this.#missing = this.signature.columns.map((column) => missingNumber(column));
  }

  /** The columns, the fields and the classes, as the document has them. */
  get signature() {
    return this.#description.signature;
  }

  /** The classes, in the order of their probabilities; empty for a regression. */
  get classes() {
    return this.signature.classes;
  }

  /** How many numbers answer a row. */
  get outputs() {
    return this.#description.outputs;
  }

  /** The names of the fields of a row. */
  get fields() {
    return this.signature.fields.map((field) => field.name);
  }

  /** Answer one row, or each of an array of rows: {label, probabilities}, or the number of a regression. */
  predict(rows) {
    if (!areRows(rows)) return this.#answer(this.compute(this.#rows.encode([rows])));
    const answers = this.compute(this.#rows.encode(rows));
    const {outputs} = this.#description;
    return rows.map((_, row) => this.#answer(answers.subarray(row * outputs, (row + 1) * outputs)));
  }

  /** The numbers that the network reads of rows: Float32Array of rows × columns, for `run`. */
  encode(rows) {
    return this.#rows.encode(areRows(rows) ? rows : [rows]);
  }

  /** Answer rows of numbers, one after another: Float32Array of rows × outputs. NaN is a missing number. */
  run(numbers) {
    const filled = new Float32Array(numbers);
    const {columns} = this.#description;
    for (let i = 0; i < filled.length; i++) {
      if (filled[i] !== filled[i]) filled[i] = this.#missing[i % columns];
    }
    return this.compute(filled);
  }

  /** As `run`, of a Float32Array, but NaN remains NaN. */
  compute(numbers) {
    const {columns, outputs, capacity} = this.#description;
    const count = numbers.length / columns;
    if (!Number.isInteger(count)) {
      throw new Error(`${numbers.length} numbers are not rows of ${columns} columns`);
    }
    if (count <= capacity) {
      this.#input.set(numbers);
      this.#run(count);
      return this.#output.slice(0, count * outputs);
    }
    const result = new Float32Array(count * outputs);
    for (let start = 0; start < count; start += capacity) {
      const part = numbers.subarray(start * columns, (start + capacity) * columns);
      result.set(this.compute(part), start * outputs);
    }
    return result;
  }

  #answer(numbers) {
    const {classes} = this;
    if (classes.length !== numbers.length) return numbers.length === 1 ? numbers[0] : [...numbers];
    const label = classes[numbers.indexOf(Math.max(...numbers))] ?? null;
    return {label, probabilities: Object.fromEntries(classes.map((name, i) => [name, numbers[i]]))};
  }
}

// Rows. The rules are those of sensenet in Python: its docs/fields.md, sensenet/runtime.

const UNKNOWN = -1;

function isArray(value) {
  return Array.isArray(value) || ArrayBuffer.isView(value);
}

function areRows(rows) {
  return Array.isArray(rows) && (rows.length === 0 || (typeof rows[0] === 'object' && rows[0] !== null));
}

function isMissing(value) {
  return value === null || value === undefined || Number.isNaN(value);
}

class RowEncoder {
  #columns;
  #fields;
  #positions = new Map();
  #ambiguous = new Set();
  #objective;
  #width;
  #cells;
  #tokens;
  #refusal = '';

  constructor({columns, fields, objective, missing_tokens: tokens}) {
    let cells = 0;
    this.#fields = fields.map((field) => {
      const made = fieldEncoder(field);
      const first = cells;
      cells += made.width;
      return {...field, ...made, first};
    });
    for (const [position, {name}] of this.#fields.entries()) {
      if (this.#positions.has(name)) this.#ambiguous.add(name);
      this.#positions.set(name, position);
    }
    for (const name of this.#ambiguous) this.#positions.delete(name);
    this.#fields.forEach(({id}, position) => this.#positions.set(id, position));
    this.#objective = new Set(objective ? [objective.id, objective.name] : []);
    this.#width = Math.max(0, ...columns.map(({index}) => (index < 0 ? -index : index + 1)));
    if (!fields.length) {
      this.#refusal = 'the document does not name the fields of all cells: pass a row as an array of cells';
    } else if (this.#width > cells) {
      this.#refusal = 'the columns do not correspond to the fields: pass a row as an array of cells';
    }
    this.#columns = columns.map((column) => {
      const index = column.index < 0 ? column.index + cells : column.index;
      const owner = this.#refusal ? undefined : this.#fields.find((f) => index < f.first + f.width);
      const where = owner ? `field "${owner.name}"` : `column ${column.index}`;
      return {index: column.index, ...cellReader(column, where)};
    });
    this.#tokens = new Set(tokens);
    this.#cells = cells;
  }

  encode(rows) {
    const numbers = new Float32Array(rows.length * this.#columns.length);
    let position = 0;
    for (const [number, row] of rows.entries()) {
      try {
        const named = !isArray(row);
        const cells = named ? this.#readFields(row) : this.#readCells(row);
        for (const {index, readNamed, readCell} of this.#columns) {
          const cell = cells[index < 0 ? index + cells.length : index];
          numbers[position++] = named ? readNamed(cell) : readCell(cell);
        }
      } catch (error) {
        throw new TypeError(`row ${number}, ${error.message}`, {cause: error});
      }
    }
    return numbers;
  }

  #readCells(row) {
    if (row.length < this.#width) {
      throw new Error(`too short: it has ${row.length} of the ${this.#width} cells that the model reads`);
    }
    return row;
  }

  #readFields(row) {
    if (typeof row !== 'object' || row === null) {
      throw new Error(`expected an array of cells, or an object by field name, found ${describe(row)}`);
    }
    if (this.#refusal) throw new Error(this.#refusal);
    const values = new Array(this.#fields.length).fill(null);
    const byId = new Set();
    for (const [key, value] of Object.entries(row)) {
      const position = this.#positions.get(key);
      if (position === undefined) {
        if (!this.#objective.has(key) || this.#ambiguous.has(key)) throw this.#unknown(key);
        continue;
      }
      if (key === this.#fields[position].id) byId.add(position);
      else if (byId.has(position)) continue;
      values[position] = typeof value === 'string' && this.#tokens.has(value) ? null : value;
    }
    const cells = new Array(this.#cells);
    for (const [position, {first, encode}] of this.#fields.entries()) {
      encode(values[position]).forEach((cell, offset) => {
        cells[first + offset] = cell;
      });
    }
    return cells;
  }

  #unknown(key) {
    const names = this.#fields.map((field) => field.name);
    if (this.#ambiguous.has(key)) {
      const ids = this.#fields.filter((field) => field.name === key).map((field) => field.id);
      return new Error(`several fields are named "${key}": use the field's id (${ids.join(', ')})`);
    }
    const shown = names.slice(0, 12).join('", "');
    return new Error(`unknown field "${key}"; expected one of: "${shown}"${names.length > 12 ? ', …' : ''}`);
  }
}

// Columns: how a cell becomes a number, in rows by name (readNamed) and in arrays of cells (readCell).

function missingNumber(column) {
  return column.type === 'categorical' ? codesOf(column).get('None') ?? UNKNOWN : column.missing ?? 0;
}

function codesOf({values}) {
  const codes = new Map();
  values.forEach((value, code) => {
    if (value !== null && !codes.has(value)) codes.set(value, code);
  });
  return codes;
}

function cellReader(column, where) {
  const missing = missingNumber(column);
  if (column.type !== 'categorical') {
    const read = (cell) => {
      const number = isMissing(cell) ? NaN : toNumber(cell, where);
      return Number.isNaN(number) ? missing : number;
    };
    return {readNamed: read, readCell: read};
  }
  const codes = codesOf(column);
  const readCell = (cell) => (isMissing(cell) ? missing : codes.get(textOf(cell, codes, where)) ?? UNKNOWN);
  const readNamed = (cell) => (typeof cell === 'string' ? codes.get(nameOf(cell, codes)) ?? UNKNOWN : readCell(cell));
  return {readNamed, readCell};
}

const SPACE = '\\t-\\r\\x1c- \\x85\\xa0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000';
const ENDS = new RegExp(`^[${SPACE}]+|[${SPACE}]+$`, 'gu');
const DIGITS = '\\d+(?:_\\d+)*';
const FLOAT = new RegExp(`^[-+]?(?:${DIGITS}(?:\\.(?:${DIGITS})?)?|\\.${DIGITS})(?:e[-+]?${DIGITS})?$`, 'i');

function toNumber(value, where) {
  if (typeof value === 'number') return value;
  if (typeof value === 'boolean' || typeof value === 'bigint') return Number(value);
  if (typeof value === 'string') {
    const text = value.replace(ENDS, '');
    if (FLOAT.test(text)) return Number(text.replaceAll('_', ''));
    if (/^[-+]?nan$/i.test(text)) return NaN;
    if (/^[-+]?inf(inity)?$/i.test(text)) return text[0] === '-' ? -Infinity : Infinity;
  }
  throw new Error(`${where}: cannot read ${describe(value)} as a number`);
}

/** The text of a value. JavaScript does not distinguish 1 from 1.0: of the two texts, the one that is known. */
function textOf(value, known, where) {
  if (typeof value === 'string') return value;
  if (typeof value === 'boolean') return value ? 'True' : 'False';
  if (typeof value === 'bigint') return String(value);
  if (typeof value !== 'number') throw new Error(`${where}: cannot read ${describe(value)} as text`);
  const text = floatText(value);
  if (!Number.isInteger(value)) return text;
  const whole = String(BigInt(value));
  if (Object.is(value, -0) && known.has(text)) return text;
  return known.has(whole) || (!known.has(text) && Number.isSafeInteger(value)) ? whole : text;
}

/** The text of a number as Python writes it: 1.0, 0.5, 1e-05, 1e+16. */
function floatText(value) {
  if (!Number.isFinite(value)) return value < 0 ? '-inf' : 'inf';
  const [digits, exponent] = value.toExponential().split('e');
  if (exponent < -4 || exponent >= 16) return `${digits}e${exponent[0]}${exponent.slice(1).padStart(2, '0')}`;
  return `${Object.is(value, -0) ? '-0' : value}${Number.isInteger(value) ? '.0' : ''}`;
}

/** The text of a category or an item: 1.0 also means 1. */
function nameOf(text, known) {
  const whole = known.has(text) ? null : /^([-+]?\p{Nd}+)\.0+$/u.exec(text);
  return whole && known.has(whole[1]) ? whole[1] : text;
}

function describe(value) {
  const text = typeof value === 'string' ? JSON.stringify(value) : String(value);
  return text.length <= 60 ? text : `a value of type ${typeof value}`;
}

// Fields: how a value becomes cells.

function fieldEncoder({name, encoding}) {
  const where = `field "${name}"`;
  switch (encoding?.type) {
    case 'terms':
      return textEncoder(where, encoding.terms, encoding.forms, () => termSplitter(encoding), (text) => text);
    case 'items':
      return textEncoder(where, encoding.items, {}, () => itemSplitter(encoding, where), nameOf);
    case 'number':
      return numberEncoder(encoding);
    case 'booleans':
      return {width: 1, encode: (value) => [categoryOf(value, encoding)]};
    default:
      return {width: 1, encode: (value) => [value]};
  }
}

function numberEncoder({prefix, suffix, default: replacement, flags_missing: flags}) {
  const encode = (value) => {
    let cell = value;
    if (typeof cell === 'string') {
      if (prefix && cell.startsWith(prefix)) cell = cell.slice(prefix.length);
      if (suffix && cell.endsWith(suffix)) cell = cell.slice(0, -suffix.length);
      if (/^[-+]?nan$/i.test(cell.replace(ENDS, ''))) cell = null;
    }
    const missing = isMissing(cell);
    if (missing) cell = replacement ?? (flags ? 0 : null);
    return flags ? [cell, missing && replacement === null ? 1 : 0] : [cell];
  };
  return {width: flags ? 2 : 1, encode};
}

function categoryOf(value, categories) {
  if (typeof value === 'boolean') return categories[value];
  if (typeof value !== 'string' || value === categories.true || value === categories.false) return value;
  return {true: categories.true, false: categories.false}[value.toLowerCase()] ?? value;
}

function textEncoder(where, terms, forms, makeSplitter, nameText) {
  const positions = new Map(Object.entries(forms));
  const own = new Map();
  terms.forEach((term, position) => own.has(term) || own.set(term, position));
  own.forEach((position, term) => positions.set(term, position));
  let split;
  const encode = (value) => {
    const counts = new Array(terms.length).fill(0);
    if (isMissing(value)) return counts;
    const text = nameText(textOf(value, positions, where), positions);
    split ??= makeSplitter();
    for (const part of split(text)) {
      const position = positions.get(part);
      if (position !== undefined) counts[position]++;
    }
    return counts;
  };
  return {width: terms.length, encode};
}

const LETTER = '[\\p{L}\\p{N}_]';
const EDGE = `(?:(?<=${LETTER})(?!${LETTER})|(?<!${LETTER})(?=${LETTER})|_)`;
const WORD = new RegExp(`${EDGE}([^${SPACE}_\\x08]+?)${EDGE}`, 'gu');

function termSplitter({case_sensitive: exact, token_mode: mode}) {
  const fold = (text) => (exact ? text : text.toLowerCase());
  const words = (text) => Array.from(text.matchAll(WORD), (match) => fold(match[1]));
  if (mode === 'full_terms_only') return (text) => [fold(text)];
  if (mode === 'tokens_only') return words;
  return (text) => {
    const found = words(text);
    const whole = fold(text);
    return found[0] === whole ? found : [...found, whole];
  };
}

function itemSplitter({separator, separator_regexp: expression}, where) {
  const strip = (parts) => parts.map((part) => (part ?? '').replace(ENDS, ''));
  if (expression !== null) {
    const pattern = translate(expression, where);
    return (text) => strip(text.split(pattern).filter((part) => part !== undefined));
  }
  return (text) => strip(separator ? text.split(separator) : ['', ...text, '']);
}

/** The regular expression of Python in JavaScript, if both have the same meaning. */
function translate(expression, where) {
  const classes = {s: SPACE, d: '\\p{Nd}', w: '\\p{L}\\p{N}_'};
  const refuse = (part) => new Error(`${where}: the separator ${expression} has ${part}: pass a row as an array of cells`);
  let inside = false;
  const source = expression.replace(/\\.|\[\^?\]?|\(\?.?|[\].$]/gsu, (part) => {
    const name = part[1];
    if (part[0] === '\\') {
      if (name in classes) return inside ? classes[name] : `[${classes[name]}]`;
      if (/[a-zA-Z0-9]/.test(name) && !'fnrtv'.includes(name)) throw refuse(part);
      return /[\^$\\.*+?()[\]{}|/-]/.test(name) && !(name === '-' && !inside) ? part : name;
    }
    if (part[0] === '[') {
      if (inside || part.endsWith(']')) throw refuse(part);
      inside = true;
    } else if (part === ']') inside = false;
    else if (part === '.') return inside ? part : '[^\\n]';
    else if (part === '$' && !inside) throw refuse(part);
    else if (part[0] === '(' && !inside && part !== '(?:') throw refuse(part);
    return part;
  });
  let pattern;
  try {
    pattern = new RegExp(source, 'u');
  } catch {
    throw refuse('another meaning here');
  }
  if (new RegExp(`^(?:${source})$`, 'u').test('')) throw refuse('empty matches');
  return pattern;
}
