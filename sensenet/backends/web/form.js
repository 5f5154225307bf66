// The form: one field for each input, whose value may be missing.

import {cut, element, isBlank, nameText, numberText, showLong} from './dom.js';
import {readNumber} from './inputs.js';

const FEW_CATEGORIES = 30;
const MOST_CHOICES = 24;

/**
 * Build the fields of inputs in an element. `check(key, value)` returns why a value cannot be read, or ''; `changed`
 * is called after an edit. Returns {values, set, valid, filter}.
 */
export function buildForm(container, inputs, check, changed) {
  const values = new Map();
  const faults = new Map();
  const fields = inputs.map((input, position) => {
    const take = (value) => {
      values.set(input.key, value);
      const fault = typeof value === 'string' ? check(input.key, value) : '';
      if (fault) faults.set(input.key, fault);
      else faults.delete(input.key);
      field.show(value, fault);
    };
    const field = BUILDERS[input.kind](input, `field-${position}`, (value) => {
      take(value);
      changed();
    });
    return {...field, take, input};
  });
  container.append(...fields.map(({root}) => root));
  return {
    values,
    valid: () => faults.size === 0,
    set: (given) => {
      for (const {input, take, fill} of fields) {
        const value = given.get(input.key) ?? null;
        fill(value);
        take(value);
      }
      changed();
    },
    filter: (text) => {
      const wanted = text.toLowerCase();
      let shown = 0;
      for (const {root, input} of fields) {
        root.hidden = !`${input.label}\n${input.description}`.toLowerCase().includes(wanted);
        shown += root.hidden ? 0 : 1;
      }
      return shown;
    },
  };
}

const BUILDERS = {number: numberField, category: categoryField, text: textField, items: textField};

function makeRoot(input, id, ...parts) {
  const label = element(
    'label',
    {htmlFor: id},
    element('bdi', {className: 'name', textContent: input.label, title: input.label}),
  );
  const about = isBlank(input.description)
    ? null
    : element('p', {className: 'hint', id: `${id}-about`, dir: 'auto'});
  if (about) showLong(about, input.description);
  const hint = element('p', {className: 'hint', id: `${id}-hint`, hidden: true});
  const root = element('div', {className: 'field', '@data-key': input.key}, label, ...parts, about, hint);
  return {root, hint};
}

function describedBy(input, id) {
  return {'@aria-describedby': isBlank(input.description) ? `${id}-hint` : `${id}-about ${id}-hint`};
}

function missingButton(input, clear) {
  const button = element('button', {
    type: 'button',
    className: 'missing',
    textContent: 'Missing',
    '@aria-label': `${input.label}: missing`,
  });
  button.addEventListener('click', clear);
  return button;
}

/** Show whether a value is missing, and a hint below the field. */
function showState({root, hint}, control, button, value, fault, remark = '') {
  root.classList.toggle('absent', value === null);
  button?.setAttribute('aria-pressed', value === null);
  if (fault) control.setAttribute('aria-invalid', true);
  else control.removeAttribute('aria-invalid');
  hint.textContent = fault || remark;
  hint.className = fault ? 'hint error' : 'hint warning';
  hint.hidden = !hint.textContent;
}

function numberField(input, id, edited) {
  const {minimum, maximum, step, known, prefix, suffix, label} = input;
  const control = element('input', {id, inputMode: 'decimal', placeholder: 'missing', ...describedBy(input, id)});
  const slider = element('input', {type: 'range', '@aria-label': `${label}, as a slider`});
  Object.assign(slider, {min: minimum, max: maximum, step});
  const button = missingButton(input, () => {
    control.value = '';
    edited(null);
  });
  control.addEventListener('input', () => edited(readNumber(control.value)));
  slider.addEventListener('input', () => {
    control.value = slider.value;
    edited(Number(slider.value));
  });
  const affix = (text) => (text ? element('span', {className: 'affix', textContent: text}) : null);
  const {root, hint} = makeRoot(
    input,
    id,
    element('div', {className: 'entry'}, affix(prefix), control, affix(suffix), button),
    element(
      'div',
      {className: 'range'},
      slider,
      ...[minimum, maximum].map((end) => element('span', {textContent: numberText(end)})),
    ),
  );
  const range = `Outside the range of training, ${numberText(minimum)} to ${numberText(maximum)}.`;
  const show = (value, fault) => {
    if (typeof value === 'number') slider.value = value;
    slider.style.setProperty('--share', `${(100 * (slider.value - minimum)) / (maximum - minimum)}%`);
    const outside = known && typeof value === 'number' && (value < minimum || value > maximum);
    showState({root, hint}, control, button, value, fault, outside ? range : '');
  };
  const fill = (value) => {
    control.value = value ?? '';
    if (value === null) slider.value = input.typical;
  };
  return {root, show, fill};
}

function categoryField(input, id, edited) {
  return input.categories.length <= FEW_CATEGORIES ? chooser(input, id, edited) : searcher(input, id, edited);
}

function chooser(input, id, edited) {
  const {categories} = input;
  const control = element(
    'select',
    {id, ...describedBy(input, id)},
    element('option', {value: '', textContent: 'missing'}),
  );
  control.append(
    ...categories.map((name, position) => element('option', {value: position, textContent: nameText(name)})),
  );
  let other = null; // a category of a link that the model does not know
  control.addEventListener('change', () =>
    edited(control.value === '' ? null : control.value === '-1' ? other : categories[control.value]),
  );
  const {root, hint} = makeRoot(input, id, element('div', {className: 'entry'}, control));
  const show = (value, fault) => showState({root, hint}, control, null, value, fault, remarkOn(value, categories));
  const fill = (value) => {
    const text = value === null ? null : String(value);
    control.querySelector('[value="-1"]')?.remove();
    if (text !== null && !categories.includes(text)) {
      other = text;
      control.append(element('option', {value: '-1', textContent: nameText(text)}));
    }
    control.value = text === null ? '' : categories.indexOf(text);
  };
  return {root, show, fill};
}

/** A field with suggestions, for many categories. */
function searcher(input, id, edited) {
  const shown = distinctTexts(input.categories);
  const texts = new Map([...shown].map(([text, name]) => [name, text]));
  const control = element('input', {id, placeholder: 'missing', '@list': `${id}-list`, ...describedBy(input, id)});
  const list = element(
    'datalist',
    {id: `${id}-list`},
    ...[...shown.keys()].map((text) => element('option', {value: text})),
  );
  const button = missingButton(input, () => {
    control.value = '';
    edited(null);
  });
  control.addEventListener('input', () =>
    edited(control.value === '' ? null : (shown.get(control.value) ?? control.value)),
  );
  const {root, hint} = makeRoot(input, id, element('div', {className: 'entry'}, control, list, button));
  const show = (value, fault) =>
    showState({root, hint}, control, button, value, fault, remarkOn(value, input.categories));
  const fill = (value) => {
    control.value = value === null ? '' : (texts.get(String(value)) ?? nameText(String(value)));
  };
  return {root, show, fill};
}

/** The categories by what is shown of each; those that look alike are numbered. */
function distinctTexts(categories) {
  const found = new Map();
  for (const name of categories) {
    const text = nameText(name);
    let shown = text;
    for (let number = 2; found.has(shown); number++) shown = `${text} (${number})`;
    found.set(shown, name);
  }
  return found;
}

function remarkOn(value, categories) {
  return value === null || categories.includes(String(value)) ? '' : 'Training had no such category.';
}

function textField(given, id, edited) {
  const input = {...given, description: [given.description, wordsRemark(given)].filter(Boolean).join(' ')};
  const control = element('textarea', {
    id,
    rows: 3,
    className: 'wide',
    placeholder: 'missing',
    dir: 'auto',
    ...describedBy(input, id),
  });
  const button = missingButton(input, () => {
    control.value = '';
    edited(null);
  });
  control.addEventListener('input', () => edited(control.value || null));
  const choices = input.kind === 'items' && input.separator ? itemChoices(input, control, edited) : null;
  const {root, hint} = makeRoot(
    input,
    id,
    element('div', {className: 'entry'}, button),
    control,
    choices?.root ?? null,
  );
  const show = (value, fault) => {
    showState({root, hint}, control, button, value, fault);
    choices?.show();
  };
  const fill = (value) => {
    control.value = value ?? '';
  };
  return {root, show, fill};
}

/** Buttons that add an item to the list in a field, or remove it. */
function itemChoices({words, separator, label}, control, edited) {
  const join = separator.trim() ? `${separator} ` : separator;
  const items = () =>
    control.value
      .split(separator)
      .map((item) => item.trim())
      .filter(Boolean);
  const buttons = words
    .slice(0, MOST_CHOICES)
    .filter((word) => word.trim())
    .map((word) => {
      const button = element('button', {type: 'button', className: 'choice', textContent: nameText(word), title: word});
      button.addEventListener('click', () => {
        const given = items();
        const kept = given.filter((item) => item !== word);
        control.value = (kept.length < given.length ? kept : [...given, word]).join(join);
        edited(control.value || null);
      });
      return [word, button];
    });
  const show = () => {
    const given = new Set(items());
    for (const [word, button] of buttons) button.setAttribute('aria-pressed', given.has(word));
  };
  const root = element('div', {className: 'choices', '@role': 'group', '@aria-label': `${label}: items`});
  root.append(...buttons.map(([, button]) => button));
  return {root, show};
}

/** What the model knows of a text, or how a list is written. */
function wordsRemark({kind, words, separator}) {
  if (kind === 'text' || !separator) {
    const some = words.slice(0, 8).map((word) => nameText(word)).join(', ');
    const what = kind === 'text' ? 'The model looks for' : 'Items:';
    return `${what} ${cut(some, 200)}${words.length > 8 ? ', …' : ''}`;
  }
  const names = {' ': 'spaces', '\n': 'new lines'};
  const more = words.length > MOST_CHOICES ? ` The first ${MOST_CHOICES} of ${words.length} are shown.` : '';
  return `Items are separated by ${names[separator] ?? JSON.stringify(separator)}.${more}`;
}
