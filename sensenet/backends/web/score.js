// Scores a CSV file, part by part, in memory that does not grow with its rows but for the answers.

import {CsvReader, findDelimiter, writeRecord} from './csv.js';

const ROWS = 4096;
const CHARACTERS = 1 << 20;
const SHOWN = 20;

/**
 * Score a file (a Blob), and return {blob, rows, labels, header, kept, shown, ignored, absent}: the CSV of answers, the
 * number of its rows, how often each class is the best, its header, how many columns of the file come first in it, its
 * first rows, and the columns that one side alone has.
 *
 * With `keep`, the columns of the file come first. `report` is called with the bytes that were read, and the rows.
 * Throws an Error that names the line for a file that cannot be read.
 */
export async function scoreFile(model, file, {keep = false, report = () => {}} = {}) {
  const known = knownNames(model.signature);
  const decoder = new TextDecoder('utf-8', {fatal: true});
  const state = {
    model,
    keep,
    known,
    writer: null,
    reader: null,
    batch: [],
    parts: [],
    rows: 0,
    shown: [],
    labels: new Map(),
  };
  let bytes = 0;
  for await (const chunk of chunksOf(file)) {
    if (!bytes) refuseUtf16(chunk);
    bytes += chunk.length;
    take(state, decode(decoder, chunk, state, true));
    report(bytes, state.rows);
  }
  take(state, decode(decoder, new Uint8Array(), state, false));
  if (state.reader) takeRecords(state, state.reader.finish());
  answerBatch(state);
  if (!state.rows) throw new Error('the file has no rows');
  report(bytes, state.rows);
  const {writer, rows, labels, shown, parts} = state;
  return {blob: new Blob(parts, {type: 'text/csv'}), rows, labels, shown, ...writer.columns};
}

/** The names and ids of the fields. */
function knownNames({fields}) {
  return new Set(fields.flatMap(({id, name}) => [id, name]));
}

async function* chunksOf(file) {
  for (let start = 0; start < file.size; start += CHARACTERS) {
    yield new Uint8Array(await file.slice(start, start + CHARACTERS).arrayBuffer());
  }
}

function refuseUtf16([first, second]) {
  if ((first === 0xff && second === 0xfe) || (first === 0xfe && second === 0xff)) {
    throw new Error('the file is UTF-16: save it as UTF-8');
  }
}

function decode(decoder, chunk, {rows}, stream) {
  try {
    return decoder.decode(chunk, {stream});
  } catch {
    throw new Error(`the file is not CSV in UTF-8 (after about ${rows} rows)`);
  }
}

function take(state, text) {
  if (!text) return;
  state.reader ??= new CsvReader((state.delimiter = findDelimiter(text, state.known)));
  takeRecords(state, state.reader.push(text));
}

function takeRecords(state, records) {
  for (const record of records) {
    if (!state.writer) state.writer = readHeader(state, record);
    else {
      const {length} = state.writer.names;
      if (record.cells.length !== length) {
        throw new Error(`line ${record.line}: found ${record.cells.length} cells, but the header has ${length}`);
      }
      state.batch.push(record);
      if (state.batch.length === ROWS) answerBatch(state);
    }
  }
}

/** How rows of a header are read, and what the header of the answers is. */
function readHeader({model, keep, known, parts, delimiter}, {cells: names, line}) {
  const twice = names.find((name, position) => names.indexOf(name) !== position);
  if (twice !== undefined) throw new Error(`line ${line}: the header names ${JSON.stringify(twice)} twice`);
  const {fields, objective, classes} = model.signature;
  if (classes.length && classes.length !== model.outputs) {
    throw new Error(`the model has ${classes.length} classes but answers ${model.outputs} numbers`);
  }
  const read = names.map((name) => !fields.length || known.has(name));
  if (fields.length && !read.includes(true)) {
    const expected = fields
      .slice(0, 4)
      .map(({name}) => JSON.stringify(name))
      .join(', ');
    throw new Error(`line ${line}: the header has no field of the model; expected names such as ${expected}`);
  }
  const kept = keep ? names : [];
  const objectiveName = objective && !kept.includes(objective.name) ? objective.name : 'prediction';
  const answers = classes.length ? [objectiveName, ...classes] : numberNames(objectiveName, model);
  const header = [...kept, ...answers];
  const doubled = header.find((name, position) => header.indexOf(name) !== position);
  if (doubled !== undefined) {
    const advice = keep ? ': do not keep the columns of the file' : '';
    throw new Error(`two columns of the answers would be named ${JSON.stringify(doubled)}${advice}`);
  }
  parts.push(writeRecord(header, delimiter));
  const present = new Set(names);
  const columns = {
    header,
    kept: kept.length,
    ignored: names.filter((name, position) => !read[position] && name !== objective?.name),
    absent: fields.filter(({id, name}) => !present.has(id) && !present.has(name)).map(({name}) => name),
  };
  return {names, read, columns};
}

function numberNames(name, {outputs}) {
  return outputs === 1 ? [name] : Array.from({length: outputs}, (_, number) => `${name} ${number}`);
}

function answerBatch(state) {
  const {model, batch, writer, keep, labels, parts, shown, delimiter} = state;
  if (!batch.length) return;
  const answers = model.compute(encode(model, batch, writer));
  const {classes} = model;
  const lines = batch.map(({cells}, row) => {
    const numbers = [...answers.subarray(row * model.outputs, (row + 1) * model.outputs)];
    const label = classes[numbers.indexOf(Math.max(...numbers))] ?? null; // null if they are NaN
    if (classes.length) labels.set(label, (labels.get(label) ?? 0) + 1);
    const line = [...(keep ? cells : []), ...(classes.length ? [label ?? ''] : []), ...numbers];
    if (shown.length < SHOWN) shown.push(line);
    return writeRecord(line, delimiter);
  });
  parts.push(new Blob([lines.join('')]));
  state.rows += batch.length;
  state.batch = [];
}

function encode(model, batch, {names, read}) {
  const named = model.fields.length > 0;
  const makeRow = ({cells}) =>
    named
      ? Object.fromEntries(names.flatMap((name, position) => (read[position] ? [[name, cells[position] || null]] : [])))
      : cells.map((cell) => cell || null);
  try {
    return model.encode(batch.map(makeRow));
  } catch (error) {
    const found = /^row (\d+), (.*)$/s.exec(error.message);
    throw found ? new Error(`line ${batch[found[1]].line}: ${found[2]}`) : error;
  }
}
