// Times a model in a directory: node javascript.mjs DIRECTORY NAME TARGET; see javascript.py.
//
// Prints JSON: the microseconds of a call for one row, for 1,000 rows, and for wasm also of `predict` by field name.

import {readFileSync} from 'node:fs';
import {createRequire} from 'node:module';
import {dirname, join} from 'node:path';
import {pathToFileURL} from 'node:url';

console.warn = () => {};

const [directory, name, target] = process.argv.slice(2);
const path = join(directory, `${name}.${target}`);
const require = createRequire(new URL('../tests/js/run.mjs', import.meta.url));
const {load} = await import(pathToFileURL(join(directory, `${name}.wasm`, 'model.js')));
const model = await load();
const columns = model.signature.columns.length;

const OPEN = {
  async wasm() {
    return (numbers) => model.compute(numbers);
  },

  async tfjs() {
    const tf = require('@tensorflow/tfjs');
    const wasm = require('@tensorflow/tfjs-backend-wasm');
    wasm.setWasmPaths(join(dirname(require.resolve('@tensorflow/tfjs-backend-wasm')), '/'));
    tf.env().set('WASM_HAS_MULTITHREAD_SUPPORT', false);
    await tf.setBackend('wasm');
    const files = JSON.parse(readFileSync(join(path, 'model.json'), 'utf8'));
    const names = files.weightsManifest.flatMap((group) => group.paths);
    const weights = Buffer.concat(names.map((each) => readFileSync(join(path, each))));
    const graph = await tf.loadGraphModel(tf.io.fromMemory({
      ...files,
      weightSpecs: files.weightsManifest.flatMap((group) => group.weights),
      weightData: new Uint8Array(weights).buffer,
    }));
    return async (numbers) => {
      const inputs = {numeric_inputs: tf.tensor2d(numbers, [numbers.length / columns, columns])};
      const {predictions} = graph.predict(inputs);
      const answers = await predictions.data();
      tf.dispose([inputs, predictions]);
      return answers;
    };
  },

  async onnx() {
    const packages = createRequire(new URL('../tests/js/onnx/run.mjs', import.meta.url));
    const ort = await import(pathToFileURL(packages.resolve('onnxruntime-web')));
    ort.env.wasm.numThreads = 1;
    ort.env.logLevel = 'fatal';
    const session = await ort.InferenceSession.create(readFileSync(path), {executionProviders: ['wasm']});
    return async (numbers) => {
      const shape = [numbers.length / columns, columns];
      const {predictions} = await session.run({numeric_inputs: new ort.Tensor('float32', numbers, shape)});
      return predictions.data;
    };
  },
};

async function time(call, milliseconds = 3000) {
  let repeats = 1;
  let best = Infinity;
  for (const end = performance.now() + milliseconds; performance.now() < end;) {
    const start = performance.now();
    for (let i = 0; i < repeats; i++) await call();
    const each = (performance.now() - start) / repeats;
    best = Math.min(best, each);
    repeats = Math.ceil(0.5 / each); // so short that other programs seldom interrupt it
  }
  return best * 1e3;
}

const rows = Float32Array.from({length: 1000 * columns}, (_, index) => (index * 7919 % 101) / 20);
const call = await OPEN[target]();
const row = rows.slice(0, columns);
const [want, got] = [model.compute(row), await call(row)];
if (!want.every((number, index) => Math.abs(number - got[index]) <= 1e-4 * Math.max(1, Math.abs(number)))) {
  throw new Error(`${target} answers ${got}, wasm ${want}`);
}
const times = [await time(() => call(row)), await time(() => call(rows))];
if (target === 'wasm' && model.fields.length) {
  const named = Object.fromEntries(model.fields.map((field) => [field, 1]));
  times.push(await time(() => model.predict(named)));
}
console.log(JSON.stringify(times));
process.exit();
