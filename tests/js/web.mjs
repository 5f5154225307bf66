// Calls modules of the target web. Reads requests on stdin, one JSON object a line, and answers each with a line:
//
//   {"directory": of the modules, "module": file, "call": function, "arguments": [...]} → {"answer": ...}
//   {"directory": ..., "call": "records", "delimiter": ..., "parts": [text]} → {"answer": [{line, cells}]}
//   {"directory": ..., "call": "score", "wasm": base64, "csv": base64, "options": {...}} → {"answer": {text, ...}}
//   {"directory": ..., "call": "explain", "wasm": base64, "row": {...} or [...]} → {"answer": {contributions, ...}}
//
// or with {"error": text}.

import {createInterface} from 'node:readline';
import {pathToFileURL} from 'node:url';

const load = (directory, name) => import(pathToFileURL(`${directory}/web/${name}`));
const loadModel = async (directory, wasm) =>
  (await load(directory, '../wasm/model.js')).load(Buffer.from(wasm, 'base64'));

const CALLS = {
  async records({directory, delimiter, parts}) {
    const {CsvReader} = await load(directory, 'csv.js');
    const reader = new CsvReader(delimiter);
    return [...parts.flatMap((part) => reader.push(part)), ...reader.finish()];
  },
  async score({directory, wasm, csv, options}) {
    const {scoreFile} = await load(directory, 'score.js');
    const model = await loadModel(directory, wasm);
    const {blob, labels, ...others} = await scoreFile(model, new Blob([Buffer.from(csv, 'base64')]), options);
    return {text: await blob.text(), labels: [...labels], ...others};
  },
  async explain({directory, wasm, row}) {
    const model = await loadModel(directory, wasm);
    const {inputs, makeRow} = (await load(directory, 'inputs.js')).describeInputs(model.signature);
    const {explain, makeBackground} = await load(directory, 'explanation.js');
    const background = makeBackground(model, inputs, makeRow);
    const found = explain(model, model.encode(row), background, inputs.map(({columns}) => columns));
    return {...found, background: [...background]};
  },
};

async function call({directory, module, call: name, arguments: given}) {
  return (await load(directory, module))[name](...given);
}

const asPlain = (key, value) => (value instanceof Map ? Object.fromEntries(value) : value);

for await (const line of createInterface({input: process.stdin})) {
  let answer;
  try {
    const request = JSON.parse(line);
    answer = {answer: (await (CALLS[request.call] ?? call)(request)) ?? null};
  } catch (error) {
    answer = {error: String(error.message)};
  }
  process.stdout.write(`${JSON.stringify(answer, asPlain)}\n`);
}
