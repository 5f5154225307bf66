// The page of a model, and the worker that scores its files: the same script runs in both.

import {load} from '../wasm/model.js';
import {showAnswer, showObjective} from './answer.js';
import {copyText, find, readBytes, showDescription, startPage} from './dom.js';
import {explain, makeBackground} from './explanation.js';
import {buildForm} from './form.js';
import {
  describeInputs,
  randomValues,
  readFragment,
  typicalValues,
  writeFragment,
  writeJson,
  writePython,
} from './inputs.js';
import {prepareMany} from './many.js';
import {prepareReasons} from './reasons.js';
import {scoreFile} from './score.js';

const MANY_FIELDS = 12;

if (typeof document === 'undefined') serve();
else startPage(start);

/** Answer the messages of the page, in a worker: {model}, then {score, keep} or {explain}. */
function serve() {
  let model;
  let prepared;
  const explainRow = (numbers) => {
    const {inputs, makeRow} = describeInputs(model.signature);
    prepared ??= [makeBackground(model, inputs, makeRow), inputs.map(({columns}) => columns)];
    return explain(model, numbers, ...prepared);
  };
  self.onmessage = async ({data}) => {
    try {
      if (data.model) model = load(data.model);
      model = await model;
      const report = (bytes, rows) => self.postMessage({bytes, rows});
      if (data.score) self.postMessage({scored: await scoreFile(model, data.score, {keep: data.keep, report})});
      if (data.explain) self.postMessage({explained: explainRow(data.explain)});
    } catch (error) {
      self.postMessage({error: error.message});
    }
  };
}

async function start() {
  const bytes = await readBytes('model', 'page.wasm');
  const model = await load(bytes);
  const {signature} = model;
  showDescription(signature);
  showObjective(signature);
  const startWorkerOfModel = () => startWorker(bytes);
  prepareOne(model, startWorkerOfModel());
  prepareMany(signature, startWorkerOfModel, prepareTabs());
}

let workerAddress;

/** A worker that has the model. It is no module: pages that are opened from disk cannot start those. */
function startWorker(bytes) {
  const script = find('script');
  workerAddress ??= script.src || URL.createObjectURL(new Blob([script.textContent], {type: 'text/javascript'}));
  const worker = new Worker(workerAddress);
  worker.postMessage({model: bytes});
  return worker;
}

function prepareOne(model, worker) {
  const {signature} = model;
  const {inputs, makeRow} = describeInputs(signature);
  let pending = 0;
  const check = (key, value) => {
    try {
      model.encode(makeRow(new Map([[key, value]])));
      return '';
    } catch (error) {
      const reason = error.message.replace(/^row 0, (field ".*": |column -?\d+: )?/s, '');
      return `${reason[0].toUpperCase()}${reason.slice(1)}.`;
    }
  };
  const explainSoon = prepareReasons(model, inputs, worker);
  const show = () => {
    pending = 0;
    const numbers = form.valid() ? model.encode(makeRow(form.values)) : null;
    showAnswer(numbers && [...model.compute(numbers)], signature);
    if (numbers && inputs.length) explainSoon(numbers);
  };
  const form = buildForm(find('fields'), inputs, check, () => {
    pending ||= requestAnimationFrame(show);
  });
  form.set(readFragment(location.hash, inputs) ?? typicalValues(inputs));
  addEventListener('hashchange', () => {
    const given = readFragment(location.hash, inputs);
    if (given) form.set(given);
  });
  find('form').addEventListener('submit', (event) => event.preventDefault());
  find('reset').addEventListener('click', () => form.set(typicalValues(inputs)));
  find('random').addEventListener('click', () => form.set(randomValues(inputs)));
  find('find').closest('label').hidden = inputs.length <= MANY_FIELDS;
  find('find').addEventListener('input', ({target}) => {
    find('nothing').hidden = form.filter(target.value) > 0;
  });
  const copies = {
    link: () => location.href.split('#')[0] + writeFragment(form.values),
    python: () => writePython(inputs, makeRow(form.values)),
    json: () => writeJson(inputs, makeRow(form.values)),
  };
  for (const button of document.querySelectorAll('[data-copy]')) {
    button.addEventListener('click', async () => {
      const copied = await copyText(copies[button.dataset.copy]());
      find('copied').textContent = copied
        ? `${button.textContent.replace('Copy ', '')} copied.`
        : 'The browser does not allow copying.';
    });
  }
}

/** Make the tabs work; returns a function that chooses the last. */
function prepareTabs() {
  const tabs = [...document.querySelectorAll('[role="tab"]')];
  const choose = (chosen) => {
    for (const tab of tabs) {
      tab.setAttribute('aria-selected', tab === chosen);
      tab.tabIndex = tab === chosen ? 0 : -1;
      find(tab.getAttribute('aria-controls')).hidden = tab !== chosen;
    }
  };
  for (const [position, tab] of tabs.entries()) {
    tab.addEventListener('click', () => choose(tab));
    tab.addEventListener('keydown', ({key}) => {
      const step = {ArrowRight: 1, ArrowLeft: -1}[key];
      if (!step) return;
      const next = tabs[(position + step + tabs.length) % tabs.length];
      choose(next);
      next.focus();
    });
  }
  choose(tabs[0]);
  return () => choose(tabs.at(-1));
}
