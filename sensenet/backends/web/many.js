// Many rows: a CSV file that is dropped or chosen, scored in a worker, with a download.

import {cut, element, find, nameText, numberText, percentText, showBars, takeFiles} from './dom.js';

const MOST_LABELS = 12;
const MOST_NAMES = 6;
const LONGEST_MESSAGE = 600;

/** Make the panel work; `startWorker` returns a new worker that scores files, `showPanel` chooses its tab. */
export function prepareMany(signature, startWorker, showPanel) {
  let worker;
  let address;
  const names = signature.fields.map(({name}) => name);
  find('expected').textContent = names.length
    ? `A header with the names of fields: ${listNames(names)}`
    : 'A header, then the cells of each row in the model’s order.';

  const stop = () => {
    worker?.terminate();
    worker = undefined;
    find('working').hidden = true;
  };
  const refuse = (message) => {
    stop();
    find('refusal').textContent = nameText(message, LONGEST_MESSAGE);
    find('refusal').hidden = false;
  };
  const score = (file) => {
    stop();
    URL.revokeObjectURL(address);
    for (const id of ['refusal', 'scored']) find(id).hidden = true;
    find('working').hidden = false;
    report(0, file, 0);
    worker = startWorker();
    worker.onerror = (event) => refuse(event.message || 'the file cannot be scored');
    worker.onmessage = ({data}) => {
      if (data.error) refuse(`${file.name}: ${data.error}`);
      else if (data.scored) {
        stop();
        address = URL.createObjectURL(data.scored.blob);
        showScored(data.scored, file, address);
      } else report(data.bytes, file, data.rows);
    };
    worker.postMessage({score: file, keep: find('keep').checked});
  };

  find('cancel').addEventListener('click', stop);
  takeFiles((file) => {
    showPanel();
    score(file);
  });
}

function report(bytes, file, rows) {
  find('progress').value = file.size ? bytes / file.size : 0;
  find('count').textContent = `${rows.toLocaleString('en')} rows`;
}

function showScored({rows, labels, header, kept, shown, ignored, absent}, file, address) {
  find('scored').hidden = false;
  find('scored-title').textContent = `${rows.toLocaleString('en')} ${rows === 1 ? 'row' : 'rows'} of ${nameText(file.name)}`;
  const remarks = [
    ignored.length ? `Not read by the model: ${listNames(ignored)}.` : '',
    absent.length ? `Not in the file, so missing in each row: ${listNames(absent)}.` : '',
  ];
  find('remarks').textContent = remarks.filter(Boolean).join(' ');
  const counts = [...labels].sort((a, b) => b[1] - a[1]).slice(0, MOST_LABELS);
  showBars(
    find('labels'),
    counts.map(([label, count]) => ({
      key: label,
      label: label === null ? 'no answer' : nameText(label),
      value: `${count.toLocaleString('en')} (${percentText(count / rows)})`,
      share: count / rows,
    })),
  );
  const download = find('download');
  download.href = address;
  download.download = `${file.name.replace(/\.(csv|tsv|txt)$/i, '')}-predictions.csv`;
  fillTable(find('table'), header, shown, kept);
  find('scored-title').focus();
}

/** Show rows, whose first columns are those of the file, with the answers before them. */
function fillTable(table, header, rows, kept) {
  const fill = (tag, cells) =>
    [...cells.slice(kept), ...cells.slice(0, kept)].map((cell, i) =>
      element(tag, {textContent: cellText(cell), className: i < header.length - kept ? 'own' : '', dir: 'auto'}),
    );
  table.replaceChildren(
    element('thead', {}, element('tr', {}, ...fill('th', header))),
    element('tbody', {}, ...rows.map((row) => element('tr', {}, ...fill('td', row)))),
  );
}

function cellText(cell) {
  return typeof cell === 'number' ? numberText(cell) : cut(cell, 200);
}

function listNames(names) {
  const shown = names
    .slice(0, MOST_NAMES)
    .map((name) => nameText(name, 60))
    .join(', ');
  return names.length > MOST_NAMES ? `${shown} and ${names.length - MOST_NAMES} more` : shown;
}
