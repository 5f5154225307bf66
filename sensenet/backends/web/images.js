// The page of a model that reads one image: chosen, dropped, pasted, or from a camera; a detector's boxes are drawn.

import {showAnswer, showHeadline, showObjective, showObjects} from './answer.js';
import {cut, fetchFile, find, percentText, readBytes, showDescription, startPage, takeFiles} from './dom.js';

const MOST_PIXELS = 4_000_000; // of what the network gets: larger images are made smaller
const HEIGHT = 0.65; // of the window, that an image has at most
const COARSE = 3; // from this enlargement on, pixels are shown as squares
const TOLD = 20; // objects that the description of the image names
const RUNTIME = 'tfjs-backend-wasm-simd.wasm';

// TensorFlow.js asks for all of them, and takes the second.
const BINARIES = ['', '-simd', '-threaded-simd'].map((kind) => `tfjs-backend-wasm${kind}.wasm`);

startPage(start);

async function start() {
  const model = await loadModel();
  const signature = model.metadata.sensenet;
  showDescription(signature);
  showObjective(signature);
  if (signature.kind === 'detector' && !signature.objective) find('objective').textContent = 'Objects';
  showHeadline('–', 'No image yet.');
  const predict = makePredictor(model, signature);
  prepareFiles(predict, prepareCamera(predict));
  document.body.dataset.ready = true;
}

/** The network on TensorFlow.js, from what is in the page, or next to it. */
async function loadModel() {
  await loadRuntime();
  const inside = find('model');
  const text = inside ? inside.textContent : await (await fetchFile('page.json')).text();
  const {weightsManifest, ...topology} = JSON.parse(text);
  const weightData = await readBytes('weights', 'page.bin');
  const weightSpecs = weightsManifest.flatMap(({weights}) => weights);
  return tf.loadGraphModel(tf.io.fromMemory({...topology, weightSpecs, weightData}));
}

/** Start TensorFlow.js, whose files may be elsewhere; throws an Error with what to do if they are not there. */
async function loadRuntime() {
  const elsewhere = document.querySelector('script[integrity]')?.src;
  const {tf} = globalThis;
  try {
    if (!(tf?.env && tf.loadGraphModel && tf.wasm)) throw new Error('a script is missing');
    const blob = new Blob([await readBytes('runtime', RUNTIME)], {type: 'application/wasm'});
    tf.env().set('WASM_HAS_MULTITHREAD_SUPPORT', false); // threads need a page that is isolated from others
    const address = URL.createObjectURL(blob);
    tf.wasm.setWasmPaths(Object.fromEntries(BINARIES.map((name) => [name, address])));
  } catch (error) {
    if (!elsewhere) throw error;
    const advice = 'Check the network, or write the page again with TensorFlow.js in it.';
    throw new Error(
      `TensorFlow.js was not loaded from ${new URL('.', elsewhere)}: the files are not there, or not those of the version for which this page was written. ${advice}`,
    );
  }
  await tf.setBackend('wasm');
}

/** Returns a function that shows an image or a frame of a video, and what the network answers. */
function makePredictor(model, signature) {
  const context = document.createElement('canvas').getContext('2d', {willReadFrequently: true});
  const {canvas} = context;
  return async (image, width, height, name) => {
    const scale = Math.min(1, Math.sqrt(MOST_PIXELS / (width * height)));
    canvas.width = Math.max(1, Math.round(width * scale));
    canvas.height = Math.max(1, Math.round(height * scale));
    context.drawImage(image, 0, 0, canvas.width, canvas.height);
    const pixels = context.getImageData(0, 0, canvas.width, canvas.height);
    const answers = await answer(model, pixels, signature.image.channels);
    const objects = answers.valid ? readObjects(answers, signature.classes) : [];
    if (answers.valid) showObjects(objects);
    else showAnswer(answers.predictions, signature);
    drawImage(canvas, objects);
    find('canvas').setAttribute('aria-label', [name, ...objects.slice(0, TOLD).map(describeObject)].join('; '));
  };
}

/** The numbers that answer an image, by output. */
async function answer(model, pixels, channels) {
  const given = tf.tidy(() => tf.expandDims(tf.cast(tf.browser.fromPixels(pixels, channels), 'float32')));
  const loops = 'valid' in model.modelSignature.outputs; // which run asynchronously alone
  const outputs = await model[loops ? 'predictAsync' : 'predict']({image_pixel_inputs: given});
  const read = async ([name, tensor]) => [name, [...(await tensor.data())]];
  const answers = Object.fromEntries(await Promise.all(Object.entries(outputs).map(read)));
  tf.dispose([given, outputs]);
  return answers;
}

function readObjects({boxes, scores, classes, valid: [count]}, labels) {
  return Array.from({length: count}, (_, i) => ({
    label: labels[classes[i]] ?? '',
    score: scores[i],
    box: boxes.slice(4 * i, 4 * i + 4).map(Math.trunc),
  }));
}

function describeObject({label, box}) {
  return `${label}: ${box.join(', ')}`;
}

/** Draw an image as large as fits, and boxes with their labels, so that both can be read on any image. */
function drawImage(image, objects) {
  const shown = find('canvas');
  find('invitation').classList.add('below');
  shown.hidden = false;
  const fits = Math.min(find('drop').clientWidth / image.width, (HEIGHT * innerHeight) / image.height);
  shown.style.width = `${image.width * fits}px`;
  const unit = devicePixelRatio;
  const scale = fits * unit;
  shown.width = Math.max(1, Math.round(image.width * scale));
  shown.height = Math.max(1, Math.round(image.height * scale));
  const context = shown.getContext('2d');
  context.imageSmoothingEnabled = scale < COARSE;
  context.drawImage(image, 0, 0, shown.width, shown.height);
  context.font = `600 ${14 * unit}px system-ui, sans-serif`;
  context.textBaseline = 'top';
  context.lineJoin = 'round';
  for (const {label, score, box} of [...objects].reverse()) {
    const text = `${cut(label, 24)} ${percentText(score)}`;
    drawBox(
      context,
      box.map((side) => side * scale),
      text,
      unit,
    );
  }
}

function drawBox(context, [left, top, right, bottom], text, unit) {
  const style = getComputedStyle(document.documentElement);
  const [accent, ink] = ['--accent', '--on-accent'].map((name) => style.getPropertyValue(name).trim());
  for (const [width, color] of [
    [5, ink],
    [2.5, accent],
  ]) {
    context.lineWidth = width * unit;
    context.strokeStyle = color;
    context.strokeRect(left, top, right - left, bottom - top);
  }
  const {canvas} = context;
  const [width, height] = [context.measureText(text).width + 10 * unit, 20 * unit];
  const x = Math.min(Math.max(0, left), Math.max(0, canvas.width - width));
  const y = top >= height ? top - height : Math.max(0, Math.min(top, canvas.height - height));
  context.fillStyle = accent;
  context.fillRect(x, y, width, height);
  context.fillStyle = ink;
  context.fillText(text, x + 5 * unit, y + 3 * unit);
}

/** Make files predict; `stopCamera` is called before. */
function prepareFiles(predict, stopCamera) {
  const open = async (file) => {
    stopCamera();
    find('refusal').hidden = true;
    try {
      const image = await createImageBitmap(file, {premultiplyAlpha: 'none', colorSpaceConversion: 'none'});
      await predict(image, image.width, image.height, file.name);
      image.close();
    } catch (error) {
      find('refusal').textContent = `${file.name} cannot be read as an image: ${error.message}`;
      find('refusal').hidden = false;
    }
  };
  takeFiles(open);
  document.addEventListener('paste', ({clipboardData}) => {
    if (clipboardData.files.length) open(clipboardData.files[0]);
  });
}

/** Make the button of the camera work, if there may be one; returns a function that stops it. */
function prepareCamera(predict) {
  const button = find('camera');
  const video = find('video');
  let stream = null;
  const stop = () => {
    for (const track of stream?.getTracks() ?? []) track.stop();
    stream = null;
    video.srcObject = null;
    button.textContent = 'Use the camera';
  };
  const follow = async (own) => {
    while (stream === own) {
      if (video.videoWidth) await predict(video, video.videoWidth, video.videoHeight, 'The camera');
      await new Promise(requestAnimationFrame);
    }
  };
  const begin = async () => {
    find('refusal').hidden = true;
    try {
      stream = await navigator.mediaDevices.getUserMedia({video: {facingMode: 'environment', width: {ideal: 640}}});
      video.srcObject = stream;
      button.textContent = 'Stop the camera';
      await video.play();
      await follow(stream);
    } catch (error) {
      stop();
      find('refusal').textContent = `The camera cannot be used: ${error.message}`;
      find('refusal').hidden = false;
    }
  };
  button.hidden = !navigator.mediaDevices?.getUserMedia;
  button.addEventListener('click', () => (stream ? stop() : begin()));
  addEventListener('pagehide', stop);
  document.addEventListener('visibilitychange', () => document.hidden && stop());
  return stop;
}
