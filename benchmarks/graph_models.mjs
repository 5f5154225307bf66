// Processor time of graph models in TensorFlow.js, called in turns: other programs then change it little.
//
//   node benchmarks/graph_models.mjs wasm 150 DIRECTORY…     (or cpu), after `npm ci` in tests/js
//
// The models take one image of 224 × 224. Prints the median and the least of so many calls, in milliseconds.

import {readFileSync} from 'node:fs';
import {createRequire} from 'node:module';
import {dirname, join} from 'node:path';

console.warn = () => {};

const require = createRequire(new URL('../tests/js/run.mjs', import.meta.url));
const tf = require('@tensorflow/tfjs');
const wasm = require('@tensorflow/tfjs-backend-wasm');

wasm.setWasmPaths(join(dirname(require.resolve('@tensorflow/tfjs-backend-wasm')), '/'));
tf.env().set('WASM_HAS_MULTITHREAD_SUPPORT', false);

function readModel(directory) {
  const model = JSON.parse(readFileSync(join(directory, 'model.json'), 'utf8'));
  const paths = model.weightsManifest.flatMap((group) => group.paths);
  const weights = Buffer.concat(paths.map((path) => readFileSync(join(directory, path))));
  return tf.loadGraphModel(tf.io.fromMemory({
    ...model,
    weightSpecs: model.weightsManifest.flatMap((group) => group.weights),
    weightData: new Uint8Array(weights).buffer,
  }));
}

async function time(model, image) {
  const start = process.cpuUsage();
  const outputs = model.predict({image_pixel_inputs: image});
  await (outputs instanceof tf.Tensor ? outputs : Object.values(outputs)[0]).data();
  tf.dispose(outputs);
  const {user, system} = process.cpuUsage(start);
  return (user + system) / 1e3;
}

const [backend, count, ...directories] = process.argv.slice(2);
await tf.setBackend(backend);
const image = tf.randomUniform([1, 224, 224, 3], 0, 255, 'float32', 7);
const models = await Promise.all(directories.map(readModel));
const times = directories.map(() => []);
for (let call = -2; call < Number(count); call++) {
  for (const [index, model] of models.entries()) {
    const taken = await time(model, image);
    if (call >= 0) times[index].push(taken); // the first two compile
  }
}
for (const [index, directory] of directories.entries()) {
  const sorted = times[index].sort((a, b) => a - b);
  console.log(`${directory}: ${sorted[sorted.length >> 1].toFixed(1)} ms, least ${sorted[0].toFixed(1)} ms`);
}
