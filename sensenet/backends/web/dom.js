// What the parts of the page share: elements, bars, and numbers as people read them.

const LONG = 300; // characters of a description

/** The element of an id. */
export const find = (id) => document.getElementById(id);

/** Start a page with the title of its document, or say why it cannot run. */
export async function startPage(start) {
  find('title').textContent = document.title;
  try {
    await start();
  } catch (error) {
    find('failure').textContent = `This page cannot run its model here: ${error.message}`;
    find('failure').hidden = false;
    find('certainty').textContent = '';
  }
}

/** Show the description of a model, if it has one. */
export function showDescription({description}) {
  showLong(find('description'), description);
  find('description').hidden = isBlank(description);
}

/** Show a text in an element, which scrolls, also by keys, if the text is long. */
export function showLong(shown, text) {
  shown.textContent = text;
  shown.classList.toggle('scrolls', text.length > LONG);
  if (text.length > LONG) shown.tabIndex = 0;
}

/** The bytes of the element of an id, which has them in base64 or their address; else those of a file next to the page. */
export async function readBytes(id, file) {
  const inside = find(id);
  const {address, integrity} = inside?.dataset ?? {};
  if (address) return (await fetchFile(address, {integrity, credentials: 'omit'})).arrayBuffer();
  if (inside) return Uint8Array.from(atob(inside.textContent), (character) => character.charCodeAt(0)).buffer;
  return (await fetchFile(file)).arrayBuffer();
}

/** The response for a file next to the page, or at an address. */
export async function fetchFile(file, options) {
  const response = await fetch(file, options);
  if (!response.ok) throw new Error(`${file}: status ${response.status}`);
  return response;
}

/** A new element with properties, attributes (after `@`), and children; text is never read as HTML. */
export function element(tag, properties = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name[0] !== '@') made[name] = value;
    else if (value !== null && value !== undefined) made.setAttribute(name.slice(1), value);
  }
  made.append(...children.filter((child) => child !== null));
  return made;
}

const bars = new WeakMap();

/** Show entries {key, label, value, share, best, against} as bars in a list; those that stay move to their share. */
export function showBars(list, entries) {
  const old = bars.get(list) ?? new Map();
  const now = new Map();
  for (const {key, label, value, share, best = false, against = false} of entries) {
    const bar = old.get(key) ?? makeBar(label);
    now.set(key, bar);
    bar.value.textContent = value;
    bar.item.classList.toggle('best', best);
    bar.item.classList.toggle('against', against);
    bar.fill.style.setProperty('--share', Math.min(1, Math.max(0, share || 0)));
  }
  bars.set(list, now);
  const items = [...now.values()].map(({item}) => item);
  if (items.length !== list.children.length || items.some((item, i) => item !== list.children[i])) {
    list.replaceChildren(...items);
  }
}

function makeBar(label) {
  const value = element('span', {className: 'value'});
  const fill = element('i');
  const name = element('bdi', {className: 'name', textContent: label, title: label});
  const item = element('li', {}, name, value, element('span', {className: 'track', '@aria-hidden': true}, fill));
  return {item, value, fill};
}

/** A text of at most so many characters, and an ellipsis if it was longer. */
export function cut(text, length) {
  return text.length > length ? `${text.slice(0, length).replace(/[\ud800-\udbff]$/, '')}…` : text;
}

/** Whether nothing of a text can be seen. */
export function isBlank(text) {
  return !/[^\s\p{C}]/u.test(text);
}

/** A name in one line, cut, without characters that turn or hide what follows it; '(empty)' if nothing can be seen. */
export function nameText(name, length = Infinity) {
  if (isBlank(name)) return '(empty)';
  const line = name.replace(/\s*[\r\n]+\s*/g, ' ⏎ ');
  return cut(line.replace(/[\p{Cc}\p{Cs}\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu, '\ufffd'), length);
}

/** Whether numbers are shares of one, but for rounding: probabilities are. */
export function areShares(numbers) {
  return numbers.every((number) => number >= 0 && number <= 1.001);
}

/** A share of one as a percentage with one decimal. */
export function percentText(share) {
  if (Number.isNaN(share)) return 'unknown';
  if (share > 0 && share < 0.0005) return '<0.1%';
  if (share < 1 && share > 0.9995) return '>99.9%';
  return `${(100 * share).toFixed(1)}%`;
}

/** A number with five digits. */
export function numberText(value, digits = 5) {
  if (!Number.isFinite(value)) return Number.isNaN(value) ? 'not a number' : value < 0 ? '−∞' : '∞';
  const size = Math.abs(value);
  if (size >= 1e9 || (size > 0 && size < 1e-4)) return value.toExponential(digits - 2).replace('-', '−');
  const fraction = size >= 1 ? Math.max(0, digits - 1 - Math.floor(Math.log10(size))) : digits - 1;
  const text = value.toLocaleString('en', {maximumFractionDigits: fraction});
  return text === '-0' ? '0' : text.replace('-', '−');
}

/** Call a function with each file that is chosen, or the first of those that are dropped anywhere on the page. */
export function takeFiles(open) {
  const [input, target] = [find('file'), find('drop')];
  input.addEventListener('change', () => {
    if (input.files.length) open(input.files[0]);
    input.value = ''; // so that the same file can be chosen again
  });
  const overFile = (event) => event.dataTransfer?.types.includes('Files');
  document.addEventListener('dragover', (event) => {
    if (!overFile(event)) return;
    event.preventDefault(); // else the browser opens the file instead of the page
    target.classList.add('over');
  });
  document.addEventListener('dragleave', () => target.classList.remove('over'));
  document.addEventListener('drop', (event) => {
    if (!overFile(event)) return;
    event.preventDefault();
    target.classList.remove('over');
    const [file] = event.dataTransfer.files;
    if (file) open(file);
  });
}

/** Copy a text, in browsers without a clipboard too; returns whether it was copied. */
export async function copyText(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    const area = element('textarea', {value: text, className: 'unseen', '@aria-hidden': true});
    document.body.append(area);
    area.select();
    const copied = document.execCommand('copy');
    area.remove();
    return copied;
  }
}
