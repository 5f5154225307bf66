// Calls models of the target wasm. Reads requests on stdin, one JSON object a line, and answers each with a line:
//
//   {"model": directory, "call": "predict" | "encode" | "run" | "compute", "rows": rows}
//   {"answer": ...} or {"error": text}
//
// Numbers that JSON lacks are {"$number": "NaN" | "Infinity" | "-Infinity"}; typed arrays are in base64.

import {createInterface} from 'node:readline';
import {pathToFileURL} from 'node:url';

const models = new Map();

async function open(directory) {
  if (!models.has(directory)) {
    const {load} = await import(pathToFileURL(`${directory}/model.js`));
    models.set(directory, await load());
  }
  return models.get(directory);
}

function decode(key, value) {
  if (value?.$number !== undefined) return Number(value.$number);
  if (value?.$data === undefined) return value;
  const bytes = Buffer.from(value.$data, 'base64');
  return new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength));
}

function encode(key, value) {
  if (typeof value === 'number' && !Number.isFinite(value)) return {$number: String(value)};
  if (!(value instanceof Float32Array)) return value;
  return {$data: Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString('base64')};
}

for await (const line of createInterface({input: process.stdin})) {
  let answer;
  try {
    const {model, call, rows} = JSON.parse(line, decode);
    answer = {answer: (await open(model))[call](rows)};
  } catch (error) {
    answer = {error: String(error.message)};
  }
  process.stdout.write(`${JSON.stringify(answer, encode)}\n`);
}
