// Opens a page in Chromium or Firefox, uses it as a reader would, and tells what was seen.
//
//   stdin: {"executable": path, "page": url, "width": pixels, "height": pixels, "scheme": "light" or "dark",
//           "motion": "no-preference" or "reduce", "zoom": factor,
//           "steps": [[action, ...arguments]]}
//   stdout: {"answers": [what each step gave], "complaints": [errors, refusals, and requests for anything else]}

import {mkdtemp, readdir, readFile, rm} from 'node:fs/promises';
import {createRequire} from 'node:module';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {text} from 'node:stream/consumers';

import {launch} from './launch.mjs';

const require = createRequire(new URL('../js/package.json', import.meta.url));
const MILLISECONDS = 20_000;

const {executable, page: address, steps, ...look} = JSON.parse(await text(process.stdin));

/** Wait for a value that is not empty, by what cannot break a policy of the page. */
async function poll(ask, what) {
  for (const end = Date.now() + MILLISECONDS; Date.now() < end; ) {
    const value = await ask();
    if (value) return value;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`never true: ${what}`);
}

const ACTIONS = {
  click: (page, selector) => page.locator(selector).setTimeout(5000).click(),
  fill: (page, selector, value) =>
    page.$eval(
      selector,
      (field, text) => {
        field.focus();
        field.value = text;
        for (const type of ['input', 'change']) field.dispatchEvent(new Event(type, {bubbles: true}));
      },
      value,
    ),
  press: async (page, keys) => { // such as Shift+Tab
    const [key, ...held] = keys.split('+').reverse();
    for (const each of held) await page.keyboard.down(each);
    await page.keyboard.press(key);
    for (const each of held) await page.keyboard.up(each);
  },
  ask: (page, expression) => page.evaluate(expression),
  focus: (page, selector) => page.focus(selector),
  choose: async (page, selector, path) => (await page.$(selector)).uploadFile(path),
  wait: (page, selector) =>
    poll(
      () => page.evaluate((each) => document.querySelector(each)?.checkVisibility() ?? false, selector),
      selector,
    ).then(() => null),
  until: (page, expression) => poll(() => page.evaluate(expression), expression).then(() => null),
  download: async (page, selector) => {
    await page.locator(selector).click();
    const finished = async () => {
      const names = await readdir(downloads); // Firefox makes an empty file of the name first, and one that ends in .part
      const written = names.length === 1 && (await readFile(join(downloads, names[0]), 'utf8'));
      return written && !/\.(part|crdownload|tmp)$/.test(names[0]) && {name: names[0], text: written};
    };
    return poll(finished, selector);
  },
  image: (page, path) => page.screenshot({path}).then(() => null),
  view: async (page, width, scheme) => { // in Chromium alone
    await page.setViewport({width, height: 900});
    await page.emulateMediaFeatures([{name: 'prefers-color-scheme', value: scheme}]);
  },
  print: (page) => page.emulateMediaType('print').then(() => null), // in Chromium alone
  axe: async (page) => {
    await page.evaluate(await readFile(require.resolve('axe-core/axe.min.js'), 'utf8'));
    return page.evaluate(async () => {
      const {violations} = await axe.run(document, {resultTypes: ['violations']});
      return violations.flatMap(({id, nodes}) => nodes.map(({html}) => `${id}: ${html.slice(0, 200)}`));
    });
  },
};

const downloads = await mkdtemp(join(tmpdir(), 'look-'));
const browser = await launch(executable, {...look, downloads});
try {
  const page = await browser.openPage();
  const complaints = [];
  page.on('pageerror', (error) => complaints.push(String(error)));
  page.on('console', (message) => complaints.push(message.text()));
  page.on('dialog', (dialog) => {
    complaints.push(dialog.message());
    dialog.dismiss();
  });
  page.on('request', (request) => {
    if (request.url().split('#')[0] !== address.split('#')[0] && !/^(data|blob):/.test(request.url())) complaints.push(request.url());
  });
  await page.goto(address);
  const answers = [];
  for (const [action, ...given] of steps) answers.push((await ACTIONS[action](page, ...given)) ?? null);
  process.stdout.write(JSON.stringify({answers, complaints}));
} finally {
  await browser.close();
  await rm(downloads, {recursive: true, force: true});
}
