// What the answer to an image depends on: computed on a click, shown over the image, in words and in numbers.

import {areShares, element, find, nameText, numberText} from './dom.js';
import {findHeat, findPatch, findStarts, occlude, overlap} from './occlusion.js';

const MOST_PATCHES = 5000; // only images that are very long and narrow have more
const SAME_BOX = 0.5; // the least intersection over union of a box with the one that is explained
const LONGEST_NAME = 60;
const PLACES = [
  ['top left', 'top', 'top right'],
  ['left', 'center', 'right'],
  ['bottom left', 'bottom', 'bottom right'],
];

/**
 * Make the panel work; `answerPixels` is what the network answers to pixels. Returns {offer, toggle}: functions that
 * take an answer that may be explained, {predictions or objects, pixels, draw}, and that show its map, or hide it.
 */
export function prepareOcclusion(signature, answerPixels) {
  const button = find('explain');
  let offered = null; // with its map, once that is computed
  let running = false;

  const show = (shown) => {
    button.textContent = shown ? 'Hide the map' : 'Show what matters';
    button.setAttribute('aria-pressed', shown);
    find('map').hidden = !shown;
    find('working').hidden = true;
    button.hidden = false;
  };
  const offer = (answered) => {
    running = false;
    offered = {...answered, subject: findSubject(answered, signature), map: null};
    find('occlusion').hidden = !offered.subject || countPatches(answered.pixels) > MOST_PATCHES;
    show(false);
  };
  const compute = async (explained) => {
    running = true;
    button.hidden = true;
    find('working').hidden = false;
    find('cancel').focus();
    const report = (done, all) => {
      find('progress').value = done / all;
      find('count').textContent = `${done} of ${all} parts`;
      return running && offered === explained;
    };
    const {pixels, subject} = explained;
    const {whole, score} = subject;
    const answered = async (covered) => score(await answerPixels(covered));
    let map = null;
    try {
      map = await occlude(pixels, signature.image.channels, whole, answered, report);
    } finally {
      if (offered === explained) {
        running = false;
        show(false);
      }
    }
    if (offered !== explained) return;
    if (map) {
      explained.map = map;
      showMap(explained);
      show(true);
    }
    button.focus();
    if (map) find('canvas').scrollIntoView({block: 'nearest'}); // on phones the button is far below
  };
  find('cancel').addEventListener('click', () => (running = false));
  const toggle = async () => {
    if (running) return; // a button is clicked twice
    if (!offered.map) await compute(offered);
    else if (find('map').hidden) {
      showMap(offered);
      show(true);
    } else {
      offered.draw(null);
      show(false);
    }
  };
  return {offer, toggle};
}

/** What is explained: {name, whole, shares, score}, where `score` is the number in question of an answer; null if none. */
function findSubject({predictions, objects}, {classes, objective}) {
  if (objects) return findObject(objects);
  const chosen = Math.max(0, predictions.indexOf(Math.max(...predictions)));
  const whole = predictions[chosen];
  if (!Number.isFinite(whole)) return null;
  const classified = classes.length === predictions.length;
  const shares = classified && areShares(predictions);
  const own = nameText((classified ? classes[chosen] : objective?.name) ?? '', LONGEST_NAME);
  const name = classified ? `the ${shares ? 'probability' : 'number'} of ${own}` : 'the prediction';
  return {name, whole, shares, score: (answer) => answer.predictions[chosen]};
}

function findObject(objects) {
  if (!objects.length) return null;
  const {label, box, score: whole} = objects.reduce((best, each) => (each.score > best.score ? each : best));
  const score = (answer) => {
    const same = answer.objects.filter((each) => each.label === label && overlap(box, each.box) >= SAME_BOX);
    return Math.max(0, ...same.map((each) => each.score));
  };
  return {name: `the score of ${nameText(label, LONGEST_NAME)}`, whole, shares: true, score};
}

function countPatches({width, height}) {
  const patch = findPatch(Math.min(width, height));
  return findStarts(height, patch).length * findStarts(width, patch).length;
}

function showMap({map, pixels: {width, height}, subject: {name, shares}, draw}) {
  const {tops, lefts, drops, patch} = map;
  const heat = findHeat(map, width, height);
  draw({rows: tops.length, columns: lefts.length, heat});
  const sizeText = (size) => (shares ? `${numberText(100 * size, 3)} pts` : numberText(size, 3));
  const greatest = sizeText(Math.max(...heat.map(Math.abs)));
  find('falls').textContent = `falls by ${greatest}`;
  find('rises').textContent = `rises by ${greatest}`;
  const place = (i) => {
    const [top, left] = [tops[Math.floor(i / lefts.length)], lefts[i % lefts.length]];
    const third = (start, length) => Math.min(2, Math.floor((3 * (start + patch / 2)) / length));
    return PLACES[third(top, height)][third(left, width)];
  };
  const most = (sign) => {
    const size = Math.max(...drops.map((drop) => sign * drop));
    const verb = sign > 0 ? 'falls' : 'rises';
    return /[1-9]/.test(sizeText(size)) && size > 0
      ? `${verb} most, by ${sizeText(size)}, if a part at the ${place(drops.indexOf(sign * size))} is covered`
      : `hardly ${verb}`;
  };
  find('matters').textContent = `${name[0].toUpperCase()}${name.slice(1)} ${most(1)}; it ${most(-1)}.`;
  fillTable(find('drops'), map, shares);
}

/** Show the drops as numbers, by the first pixels of their patches. */
function fillTable(table, {patch, tops, lefts, drops}, shares) {
  const unit = shares ? ' in points of percent' : '';
  const heads = lefts.map((left) => element('th', {scope: 'col', textContent: left}));
  const rows = tops.map((top, row) =>
    element(
      'tr',
      {},
      element('th', {scope: 'row', textContent: top}),
      ...lefts.map((_, column) => element('td', {textContent: numberText((shares ? 100 : 1) * drops[row * lefts.length + column], 4)})),
    ),
  );
  find('drops-about').textContent =
    `The fall${unit} if ${patch} × ${patch} pixels are covered, by the first row and column of them.`;
  table.replaceChildren(
    element('thead', {}, element('tr', {}, element('th', {scope: 'col', textContent: 'pixels'}), ...heads)),
    element('tbody', {}, ...rows),
  );
}
