// CSV by the rules of sensenet in Python: UTF-8, maybe with a byte order mark; lines end with LF, CR or both; a cell
// in quotes may have delimiters, line ends and doubled quotes; empty lines are skipped.

export const DELIMITERS = [',', ';', '\t', '|'];

/** Reads records from text that arrives in parts; `push` and `finish` return those that have ended. */
export class CsvReader {
  #delimiter;
  #cells = [];
  #cell = '';
  #state = 'start'; // of a cell; or in it, 'plain', 'quoted', 'quote' (behind one inside quotes)
  #line = 1;
  #first = 1;
  #afterReturn = false;

  constructor(delimiter = ',') {
    this.#delimiter = delimiter;
  }

  push(text) {
    const records = [];
    for (const character of text) {
      if (this.#afterReturn) {
        this.#afterReturn = false;
        if (character === '\n') {
          if (this.#state === 'quoted') this.#cell += character;
          continue;
        }
      }
      if (character === '\0') throw this.#error('found a null character');
      this.#take(character, records);
    }
    return records;
  }

  finish() {
    const records = [];
    if (this.#state === 'quoted') throw this.#error('a quoted cell does not end');
    if (this.#cells.length || this.#state !== 'start') this.#endRecord(records);
    return records;
  }

  #take(character, records) {
    const ends = character === '\n' || character === '\r';
    if (ends) {
      this.#line++;
      this.#afterReturn = character === '\r';
    }
    if (this.#state === 'quoted') {
      if (character === '"') this.#state = 'quote';
      else this.#cell += character;
    } else if (ends) this.#endRecord(records);
    else if (character === this.#delimiter) this.#endCell();
    else if (this.#state === 'start' && character === '"') this.#state = 'quoted';
    else if (this.#state === 'quote') {
      if (character !== '"') throw this.#error(`expected '${this.#delimiter}' after '"'`);
      this.#cell += character;
      this.#state = 'quoted';
    } else {
      this.#cell += character;
      this.#state = 'plain';
    }
  }

  #endCell() {
    this.#cells.push(this.#cell);
    this.#cell = '';
    this.#state = 'start';
  }

  #endRecord(records) {
    if (this.#cells.length || this.#state !== 'start') {
      this.#endCell();
      records.push({line: this.#first, cells: this.#cells});
    }
    this.#cells = [];
    this.#first = this.#line;
  }

  #error(reason) {
    return new Error(`line ${this.#first}: invalid CSV: ${reason}`);
  }
}

/** The delimiter under which most names of the first line are known, the first of equal ones. */
export function findDelimiter(text, known) {
  let best = DELIMITERS[0];
  let most = 0;
  for (const delimiter of DELIMITERS) {
    const names = firstRecord(text, delimiter);
    const count = names.filter((name) => known.has(name)).length || (known.size ? 0 : names.length);
    if (count > most) [best, most] = [delimiter, count];
  }
  return best;
}

function firstRecord(text, delimiter) {
  const reader = new CsvReader(delimiter);
  try {
    for (let start = 0; start < text.length; start += 1024) {
      const [record] = reader.push(text.slice(start, start + 1024));
      if (record) return record.cells;
    }
    return reader.finish()[0]?.cells ?? [];
  } catch {
    return [];
  }
}

/** A line of CSV, with its end. */
export function writeRecord(cells, delimiter = ',') {
  return `${cells.map((cell) => quote(cell, delimiter)).join(delimiter)}\n`;
}

function quote(cell, delimiter) {
  const text = typeof cell === 'number' ? writeNumber(cell) : neutralize(String(cell));
  return /["\r\n]/.test(text) || text.includes(delimiter) ? `"${text.replaceAll('"', '""')}"` : text;
}

function writeNumber(value) {
  if (Number.isFinite(value)) return String(value);
  return Number.isNaN(value) ? 'nan' : value < 0 ? '-inf' : 'inf';
}

const FORMULA = /^[=+\-@\t\r]./s;
const NUMBER = /^[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?$|^[-+]?(inf|infinity|nan)$/i;

/** A text that spreadsheets do not take for a formula: one that they would has an apostrophe before it. */
export function neutralize(text) {
  return FORMULA.test(text) && !NUMBER.test(text) ? `'${text}` : text;
}
