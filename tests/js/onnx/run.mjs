// Runs ONNX models in onnxruntime-web. Reads requests on stdin, one JSON object a line, and answers each with a line:
//
//   {"model": path, "inputs": {name: {"dtype": "float32", "shape": [...], "data": base64, or a list of texts}}}
//   {"outputs": {name: {"dtype": ..., "shape": [...], "data": ...}}} or {"error": text}

import {readFileSync} from 'node:fs';
import {createInterface} from 'node:readline';
import * as ort from 'onnxruntime-web';

ort.env.wasm.numThreads = 1; // its threads would keep the process alive
ort.env.logLevel = 'fatal';

const ARRAYS = {float32: Float32Array, int32: Int32Array, bool: Uint8Array, uint8: Uint8Array};

function decode({dtype, shape, data}) {
  if (dtype === 'string') return new ort.Tensor(dtype, data, shape);
  const bytes = Buffer.from(data, 'base64');
  const buffer = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength);
  return new ort.Tensor(dtype, new ARRAYS[dtype](buffer), shape);
}

function encode({type: dtype, dims: shape, data}) {
  if (dtype === 'string') return {dtype, shape, data};
  return {dtype, shape, data: Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString('base64')};
}

function mapValues(object, convert) {
  return Object.fromEntries(Object.entries(object).map(([name, value]) => [name, convert(value)]));
}

let last = {path: '', session: null}; // tests call one model several times

async function open(path) {
  if (last.path !== path) {
    await last.session?.release();
    last = {path, session: await ort.InferenceSession.create(readFileSync(path), {executionProviders: ['wasm']})};
  }
  return last.session;
}

for await (const line of createInterface({input: process.stdin})) {
  let answer;
  try {
    const {model, inputs} = JSON.parse(line);
    const outputs = await (await open(model)).run(mapValues(inputs, decode));
    answer = {outputs: mapValues(outputs, encode)};
  } catch (error) {
    answer = {error: String(error.stack ?? error)};
  }
  process.stdout.write(`${JSON.stringify(answer)}\n`);
}
