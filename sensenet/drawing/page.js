'use strict';

const {meanings, nodes} = JSON.parse(document.getElementById('nodes').textContent);
const panel = document.querySelector('aside');
const search = document.querySelector('input');
const found = document.querySelector('output');
const folds = [...document.querySelectorAll('details')];
const boxes = nodes.map((_, number) => document.getElementById(`node-${number}`));
const texts = nodes.map(({name, op, types}) => `${name} ${op} ${types.join(' ')}`.toLowerCase());

let chosen = null;
let hits = [];
let before = null; // which folds were open when the search began

// An element with a text or children. Everything from the document goes through here, as text.
function make(tag, ...children) {
  const element = document.createElement(tag);
  element.append(...children);
  return element;
}

function list(title, items) {
  return items.length ? [make('h3', title), make('ul', ...items.map((item) => make('li', item)))] : [];
}

function link(number, text) {
  const button = make('button', make('code', text));
  button.type = 'button';
  button.addEventListener('click', () => go(number));
  return button;
}

function show(number) {
  const node = nodes[number];
  const line = (text) => make('code', text);
  panel.replaceChildren(
    make('h2', node.name),
    make('p', line(node.op), `, ${node.family}`),
    make('p', meanings[node.op]),
    ...list('Attributes', node.attributes.map(([name, text]) => line(`${name} = ${text}`))),
    ...list('Results', node.types.map(line)),
    ...list('Reads', node.inputs.map(([from, name, type]) => link(from, `${name} : ${type}`))),
    ...list('Read by', node.readers.map((reader) => link(reader, nodes[reader].name))),
    ...list('Outputs', node.outputs.map(line)),
    ...list('Parameters', [node.parameters]),
    ...list('Multiply-adds', [node.multiplyAdds]),
  );
  panel.scrollTop = 0;
}

function choose(number) {
  chosen?.classList.remove('chosen');
  chosen = boxes[number];
  chosen.classList.add('chosen');
  show(number);
}

function reveal(element) {
  for (let fold = element.closest('details'); fold; fold = fold.parentElement.closest('details')) fold.open = true;
}

// Choose a node that may be anywhere, and bring it into view.
function go(number) {
  reveal(boxes[number]);
  choose(number);
  boxes[number].scrollIntoView({block: 'center', inline: 'nearest'});
  boxes[number].focus({preventScroll: true});
}

function goToStage(number) {
  const fold = document.getElementById(`stage-${number}`);
  fold.open = true;
  const summary = fold.querySelector('summary');
  summary.scrollIntoView({block: 'start'});
  summary.focus({preventScroll: true});
}

function find() {
  const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
  before ??= folds.map((fold) => fold.open);
  hits = words.length ? [...nodes.keys()].filter((n) => words.every((word) => texts[n].includes(word))) : [];
  boxes.forEach((box) => box.classList.remove('hit'));
  hits.forEach((number) => boxes[number].classList.add('hit'));
  document.body.classList.toggle('searching', words.length > 0);
  if (words.length) {
    folds.forEach((fold) => { fold.open = fold.querySelector('.hit') !== null; });
    found.textContent = `${hits.length} of ${nodes.length} nodes`;
  } else {
    folds.forEach((fold, index) => { fold.open = before[index]; });
    before = null;
    found.textContent = '';
  }
}

function activate(event) {
  const box = event.target.closest?.('[data-node], [data-stage]');
  if (!box || (event.key !== undefined && event.key !== 'Enter' && event.key !== ' ')) return;
  event.preventDefault();
  if (box.dataset.stage) goToStage(Number(box.dataset.stage));
  else if (box.id) choose(Number(box.dataset.node));
  else go(Number(box.dataset.node));
}

document.addEventListener('click', activate);
document.addEventListener('keydown', activate);
search.addEventListener('input', find);
document.querySelector('form').addEventListener('submit', (event) => {
  event.preventDefault();
  const next = hits.find((number) => number > boxes.indexOf(chosen)) ?? hits[0];
  if (next !== undefined) go(next);
});
document.getElementById('expand').addEventListener('click', () => folds.forEach((fold) => { fold.open = true; }));
document.getElementById('collapse').addEventListener('click', () => folds.forEach((fold) => { fold.open = false; }));
