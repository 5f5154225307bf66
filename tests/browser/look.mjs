// Opens a page in Chromium, uses it as a reader would, and tells what was seen.
//
//   stdin: {"executable": path, "page": url, "width": pixels, "height": pixels, "scheme": "light" or "dark",
//           "motion": "no-preference" or "reduce",
//           "steps": [[action, ...arguments]]}
//   stdout: {"answers": [what each step gave], "complaints": [errors, refusals, and requests for anything else]}

import {createRequire} from 'node:module';
import {readFile} from 'node:fs/promises';
import {text} from 'node:stream/consumers';

const require = createRequire(new URL('../js/package.json', import.meta.url));
const {chromium} = require('playwright-core');

const {executable, page: address, width, height, scheme, motion = 'no-preference', steps} = JSON.parse(await text(process.stdin));
const browser = await chromium.launch({
  executablePath: executable,
  args: ['--no-sandbox', '--disable-gpu', '--disable-background-networking',
    '--use-fake-device-for-media-stream', '--use-fake-ui-for-media-stream'],
});

const ACTIONS = {
  click: (page, selector) => page.locator(selector).first().click({timeout: 5000}),
  fill: (page, selector, value) => page.fill(selector, value),
  press: (page, key) => page.keyboard.press(key),
  ask: (page, expression) => page.evaluate(expression),
  focus: (page, selector) => page.locator(selector).first().focus(),
  choose: (page, selector, path) => page.setInputFiles(selector, path),
  wait: (page, selector) => page.locator(selector).first().waitFor({timeout: 20_000}),
  until: async (page, expression) => { // waitForFunction needs eval, which a policy may forbid
    for (let left = 400; !(await page.evaluate(expression)); left--) {
      if (!left) throw new Error(`never true: ${expression}`);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  },
  download: async (page, selector) => {
    const [download] = await Promise.all([page.waitForEvent('download'), page.locator(selector).click()]);
    return {name: download.suggestedFilename(), text: await readFile(await download.path(), 'utf8')};
  },
  image: (page, path) => page.screenshot({path}).then(() => null),
};

try {
  const viewport = {width, height};
  const context = await browser.newContext({viewport, colorScheme: scheme, reducedMotion: motion});
  const page = await context.newPage();
  await context.grantPermissions(['clipboard-read', 'clipboard-write']).catch(() => {});
  const complaints = [];
  page.on('pageerror', (error) => complaints.push(String(error)));
  page.on('console', (message) => complaints.push(message.text()));
  page.on('dialog', (dialog) => complaints.push(dialog.message()));
  page.on('request', (request) => {
    if (request.url().split('#')[0] !== address.split('#')[0] && !/^(data|blob):/.test(request.url())) complaints.push(request.url());
  });
  await page.goto(address);
  const answers = [];
  for (const [action, ...given] of steps) answers.push((await ACTIONS[action](page, ...given)) ?? null);
  process.stdout.write(JSON.stringify({answers, complaints}));
} finally {
  await browser.close();
}
