// Runs graph models in TensorFlow.js. Reads requests on stdin, one JSON object a line, and answers each with a line:
//
//   {"model": directory, "backend": "cpu" | "wasm", "method": "predict" | "predictAsync",
//    "inputs": {name: {"dtype": "float32", "shape": [...], "data": base64}}, "repeats": 1}
//   {"outputs": {name: {"dtype": ..., "shape": [...], "data": base64}}, "seconds": [...]} or {"error": text}
//
// "seconds" has each call's, from the input tensors to the numbers of all outputs.

import {readFileSync} from 'node:fs';
import {createRequire} from 'node:module';
import {dirname, join} from 'node:path';
import {createInterface} from 'node:readline';

console.warn = () => {}; // TensorFlow.js recommends another package to those who run it in Node

const require = createRequire(import.meta.url);
const tf = require('@tensorflow/tfjs');
const wasm = require('@tensorflow/tfjs-backend-wasm');

wasm.setWasmPaths(join(dirname(require.resolve('@tensorflow/tfjs-backend-wasm')), '/'));
tf.env().set('WASM_HAS_MULTITHREAD_SUPPORT', false); // its threads would keep the process alive

const ARRAYS = {float32: Float32Array, int32: Int32Array, bool: Uint8Array};

function readModel(directory) {
  const model = JSON.parse(readFileSync(join(directory, 'model.json'), 'utf8'));
  const files = model.weightsManifest.flatMap((group) => group.paths);
  const weights = Buffer.concat(files.map((name) => readFileSync(join(directory, name))));
  return tf.loadGraphModel(tf.io.fromMemory({
    ...model,
    weightSpecs: model.weightsManifest.flatMap((group) => group.weights),
    weightData: weights.buffer.slice(weights.byteOffset, weights.byteOffset + weights.byteLength),
  }));
}

function decode({dtype, shape, data}) {
  const bytes = Buffer.from(data, 'base64');
  const buffer = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength);
  return tf.tensor(new ARRAYS[dtype](buffer), shape, dtype);
}

async function encode(tensor) {
  const data = await tensor.data(); // on cpu, truths that are cast to float32 stay bytes
  const {buffer, byteOffset, byteLength} = ARRAYS[tensor.dtype].from(data);
  return {
    dtype: tensor.dtype,
    shape: tensor.shape,
    data: Buffer.from(buffer, byteOffset, byteLength).toString('base64'),
  };
}

async function mapValues(object, convert) {
  const entries = Object.entries(object).map(async ([name, value]) => [name, await convert(value)]);
  return Object.fromEntries(await Promise.all(entries));
}

let last = {key: '', model: null}; // tests call one model several times

async function open(directory, backend) {
  const key = `${backend}:${directory}`;
  if (last.key !== key) {
    last.model?.dispose();
    last = {key: '', model: null};
    await tf.setBackend(backend);
    last = {key, model: await readModel(directory)};
  }
  return last.model;
}

async function run({model: directory, backend, method, inputs, repeats = 1}) {
  const model = await open(directory, backend);
  const given = await mapValues(inputs, decode);
  const seconds = [];
  let outputs = {};
  try {
    for (let call = 0; call < repeats; call++) {
      tf.dispose(outputs);
      const start = performance.now();
      const answer = await model[method](given);
      outputs = answer instanceof tf.Tensor ? {answer} : answer;
      for (const tensor of Object.values(outputs)) await tensor.data();
      seconds.push((performance.now() - start) / 1e3);
    }
    return {outputs: await mapValues(outputs, encode), seconds};
  } finally {
    tf.dispose([given, outputs]);
  }
}

for await (const line of createInterface({input: process.stdin})) {
  let answer;
  try {
    answer = await run(JSON.parse(line));
  } catch (error) {
    answer = {error: String(error.stack ?? error)};
  }
  process.stdout.write(`${JSON.stringify(answer)}\n`);
}
