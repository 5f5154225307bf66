// The page of a model that reads one image: chosen, dropped, pasted, or from a camera; a detector's boxes are drawn.

import {showAnswer, showHeadline, showObjective, showObjects} from './answer.js';
import {fetchFile, find, nameText, readBytes, showDescription, startPage, takeFiles} from './dom.js';
import {drawImage} from './image_drawing.js';
import {prepareOcclusion} from './occlusion_panel.js';

const MOST_PIXELS = 4_000_000; // of what the network gets: larger images are made smaller
const READABLE = 'Browsers read JPEG, PNG, WebP, AVIF, GIF and BMP.';
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
  const answerPixels = (pixels) => answer(model, pixels, signature);
  const occlusion = prepareOcclusion(signature, answerPixels);
  const {predict, settle} = makePredictor(answerPixels, signature, occlusion.offer);
  const stopCamera = prepareCamera(predict);
  prepareFiles(predict, stopCamera);
  find('explain').addEventListener('click', async () => {
    stopCamera();
    await settle();
    find('refusal').hidden = true;
    try {
      await occlusion.toggle();
    } catch (error) {
      find('refusal').textContent = `The map cannot be computed: ${error.message}`;
      find('refusal').hidden = false;
    }
  });
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

/**
 * Returns {predict, settle}: a function that shows an image or a frame of a video, and what the network answers, one
 * after another, and then offers them to be explained; and one that waits for the last.
 */
function makePredictor(answerPixels, signature, offer) {
  const context = document.createElement('canvas').getContext('2d', {willReadFrequently: true});
  const {canvas} = context;
  const show = async (image, width, height, name) => {
    const scale = Math.min(1, Math.sqrt(MOST_PIXELS / (width * height)));
    canvas.width = Math.max(1, Math.round(width * scale));
    canvas.height = Math.max(1, Math.round(height * scale));
    context.drawImage(image, 0, 0, canvas.width, canvas.height);
    const pixels = context.getImageData(0, 0, canvas.width, canvas.height);
    const found = await answerPixels(pixels);
    const {objects = []} = found;
    if (found.objects) showObjects(objects);
    else showAnswer(found.predictions, signature);
    drawImage(canvas, objects);
    const described = objects.slice(0, TOLD).map((object) => describeObject(object, scale));
    find('canvas').setAttribute('aria-label', [name, ...described].join('; '));
    offer({...found, pixels, draw: (map) => drawImage(canvas, objects, map)});
  };
  let last = Promise.resolve();
  const settle = () => last.catch(() => {});
  const predict = (...image) => {
    last = settle().then(() => show(...image));
    return last;
  };
  return {predict, settle};
}

/** What the network answers to an image: {predictions}, or {objects} of a detector. */
async function answer(model, pixels, {classes, image: {channels}}) {
  const given = tf.tidy(() => tf.expandDims(tf.cast(tf.browser.fromPixels(pixels, channels), 'float32')));
  const loops = 'valid' in model.modelSignature.outputs; // which run asynchronously alone
  const outputs = await model[loops ? 'predictAsync' : 'predict']({image_pixel_inputs: given});
  const read = async ([name, tensor]) => [name, [...(await tensor.data())]];
  const answers = Object.fromEntries(await Promise.all(Object.entries(outputs).map(read)));
  tf.dispose([given, outputs]);
  return loops ? {objects: readObjects(answers, classes)} : {predictions: answers.predictions};
}

function readObjects({boxes, scores, classes, valid: [count]}, labels) {
  return Array.from({length: count}, (_, i) => ({
    label: labels[classes[i]] ?? '',
    score: scores[i],
    box: boxes.slice(4 * i, 4 * i + 4).map(Math.trunc),
  }));
}

/** A label and a box in pixels of the image as it was before it was made smaller by a scale. */
function describeObject({label, box}, scale) {
  return `${nameText(label)}: ${box.map((side) => Math.round(side / scale)).join(', ')}`;
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
      const reason = error.message.replace(/\.$/, '');
      find('refusal').textContent = `${nameText(file.name)} cannot be read as an image: ${reason}. ${READABLE}`;
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
