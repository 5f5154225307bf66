// What moved the answer: contributions of fields, computed in a worker, as bars to either side.

import {areShares, find, nameText, numberText, percentText, showBars} from './dom.js';

const MOST_FIELDS = 8;
const LONGEST_LABEL = 60;

/** Returns a function that explains a row of numbers, in a worker; a newer row replaces one that waits. */
export function prepareReasons(model, inputs, worker) {
  let waiting = null;
  let busy = false;
  const next = () => {
    busy = waiting !== null;
    find('contributions').setAttribute('aria-busy', busy);
    if (busy) worker.postMessage({explain: waiting});
    waiting = null;
  };
  worker.addEventListener('message', ({data}) => {
    if (data.explained && !waiting) showReasons(data.explained, inputs, model.signature);
    else if (data.error) find('contributions').hidden = true;
    next();
  });
  return (numbers) => {
    waiting = numbers;
    if (!busy) next();
  };
}

function showReasons({contributions, answer, expectation, exact}, inputs, signature) {
  const best = Math.max(0, answer.indexOf(Math.max(...answer)));
  const section = find('contributions');
  section.hidden = contributions.flat().some((value) => !Number.isFinite(value));
  if (section.hidden) return;
  const classes = signature.classes.length === answer.length;
  const shares = classes && areShares([...answer, ...expectation]);
  const text = shares ? percentText : numberText;
  const label = signature.classes[best];
  const name = nameText(label ?? '', LONGEST_LABEL);
  const from = `From ${text(expectation[best])}, the mean of typical rows, to ${text(answer[best])}`;
  section.querySelector('.caption').textContent = `${from}${classes ? ` for ${name}` : ''}.`;
  const own = contributions.map((outputs) => outputs[best]);
  const order = [...own.keys()].sort((a, b) => Math.abs(own[b]) - Math.abs(own[a]));
  const most = Math.abs(own[order[0]]) || 1;
  showBars(
    section.querySelector('ol'),
    order
      .slice(0, MOST_FIELDS)
      .map((i) => ({
        key: inputs[i].key,
        label: inputs[i].label,
        value: signed(own[i], shares),
        share: Math.abs(own[i]) / most,
        against: own[i] < 0,
      })),
  );
  const rest = order.slice(MOST_FIELDS).reduce((sum, i) => sum + own[i], 0);
  const others = order.length - MOST_FIELDS;
  const remarks = [
    others > 0 ? `${others} other ${others === 1 ? 'field' : 'fields'}: ${signed(rest, shares)}.` : '',
    exact ? '' : 'Estimated from a sample.',
  ];
  section.querySelector('.more').textContent = remarks.filter(Boolean).join(' ');
}

/** A change with its sign: in points of percent, or as a number. */
function signed(value, shares) {
  const text = shares ? `${(100 * Math.abs(value)).toFixed(1)} pts` : numberText(Math.abs(value), 4);
  return `${/^[0.]+( pts)?$/.test(text) ? '±' : value < 0 ? '−' : '+'}${text}`;
}
