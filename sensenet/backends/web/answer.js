// The answer to the row of the form: what is predicted, the probabilities as bars, and what is read aloud.

import {areShares, find, isBlank, nameText, numberText, percentText, showBars} from './dom.js';

const MOST_BARS = 12;
const TOP = 10;
const LONG_LABEL = 24;
const QUIET = 700; // milliseconds without an edit before an answer is read aloud

let timer;

/** The caption above the answer. */
export function showObjective(signature) {
  const name = signature.objective?.name ?? '';
  find('objective').textContent = isBlank(name) ? 'Prediction' : nameText(name);
}

/** Show the numbers that answer a row; null if a field cannot be read. */
export function showAnswer(numbers, signature) {
  const {classes} = signature;
  if (!numbers) showHeadline('–', 'Correct the marked field.');
  else if (classes.length === numbers.length) showClasses(numbers, classes);
  else showNumbers(numbers, signature);
}

/** Show the objects that a detector found: entries {label, score}. */
export function showObjects(objects) {
  const names = objects
    .slice(0, TOP)
    .map(({label}) => nameText(label))
    .join(', ');
  const count = objects.length === 1 ? '1 object' : `${objects.length} objects`;
  showHeadline(objects.length ? count : 'nothing found', '', `${count}${names ? `: ${names}` : ''}`);
  find('probabilities-title').textContent = 'Scores';
  showList(
    objects
      .slice(0, MOST_BARS)
      .map(({label, score}, i) => ({
        key: `${i} ${label}`,
        label: nameText(label),
        value: percentText(score),
        share: score,
      })),
    objects.length > MOST_BARS ? `The best ${MOST_BARS} of ${objects.length}.` : '',
  );
  find('probabilities').hidden = !objects.length;
}

export function showHeadline(label, certainty, spoken = `${label}, ${certainty}`) {
  const shown = find('label');
  shown.textContent = nameText(label);
  shown.title = label;
  shown.classList.toggle('long', label.length > LONG_LABEL);
  find('certainty').textContent = certainty;
  clearTimeout(timer);
  timer = setTimeout(() => {
    find('announcement').textContent = spoken;
  }, QUIET);
}

function showClasses(numbers, classes) {
  const best = numbers.indexOf(Math.max(...numbers));
  const shares = areShares(numbers);
  const text = shares ? percentText : numberText;
  if (best < 0) showHeadline('unknown', 'The probabilities are not numbers.');
  else showHeadline(classes[best], text(numbers[best]));
  const order = [...numbers.keys()];
  if (classes.length > MOST_BARS) order.sort((a, b) => numbers[b] - numbers[a]).splice(TOP);
  const most = shares ? 1 : Math.max(...numbers.map(Math.abs));
  showList(
    order.map((i) => ({
      key: i,
      label: nameText(classes[i]),
      value: text(numbers[i]),
      share: numbers[i] / most,
      best: i === best,
    })),
    classes.length > order.length ? `The ${order.length} most probable of ${classes.length} classes.` : '',
  );
}

function showNumbers(numbers, {objective, settings}) {
  const own = settings.regression_normalize !== true; // else answers are not in the units of the objective
  const {prefix = '', suffix = ''} = (own && objective?.encoding) || {};
  const [number] = numbers;
  const text = `${prefix}${numberText(number)}${suffix}`;
  find('label').classList.add('number');
  showHeadline(text, '', text);
  const {minimum, maximum} = objective?.summary ?? {};
  find('scale').hidden = !(own && numbers.length === 1 && minimum < maximum);
  if (!find('scale').hidden) {
    const share = Math.min(1, Math.max(0, (number - minimum) / (maximum - minimum)));
    find('scale')
      .querySelector('i')
      .style.setProperty('--share', `${100 * share}%`);
    find('least').textContent = `${prefix}${numberText(minimum)}${suffix}`;
    find('greatest').textContent = `${prefix}${numberText(maximum)}${suffix}`;
  }
  if (numbers.length === 1) return;
  find('probabilities-title').textContent = 'Outputs';
  const most = Math.max(...numbers.map(Math.abs)) || 1;
  showList(
    numbers
      .slice(0, TOP)
      .map((value, i) => ({key: i, label: `output ${i}`, value: numberText(value), share: value / most})),
    '',
  );
}

function showList(entries, more) {
  const section = find('probabilities');
  section.hidden = false;
  showBars(section.querySelector('ol'), entries);
  section.querySelector('.more').textContent = more;
}
