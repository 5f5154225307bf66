// Opens a page in Chromium, uses it as a reader would, and tells what was seen.
//
//   stdin: {"executable": path, "page": url, "width": pixels, "height": pixels, "scheme": "light" or "dark",
//           "steps": [[action, ...arguments]]}
//   stdout: {"answers": [what each step gave], "complaints": [errors, refusals, and requests for anything else]}

import {createRequire} from 'node:module';
import {text} from 'node:stream/consumers';

const require = createRequire(new URL('../js/package.json', import.meta.url));
const {chromium} = require('playwright-core');

const {executable, page: address, width, height, scheme, steps} = JSON.parse(await text(process.stdin));
const browser = await chromium.launch({
  executablePath: executable,
  args: ['--no-sandbox', '--disable-gpu', '--disable-background-networking'],
});

const ACTIONS = {
  click: (page, selector) => page.locator(selector).first().click({timeout: 5000}),
  fill: (page, selector, value) => page.fill(selector, value),
  press: (page, key) => page.keyboard.press(key),
  ask: (page, expression) => page.evaluate(expression),
  image: (page, path) => page.screenshot({path}).then(() => null),
};

try {
  const page = await browser.newPage({viewport: {width, height}, colorScheme: scheme});
  const complaints = [];
  page.on('pageerror', (error) => complaints.push(String(error)));
  page.on('console', (message) => complaints.push(message.text()));
  page.on('dialog', (dialog) => complaints.push(dialog.message()));
  page.on('request', (request) => {
    if (request.url() !== address && !request.url().startsWith('data:')) complaints.push(request.url());
  });
  await page.goto(address);
  const answers = [];
  for (const [action, ...given] of steps) answers.push((await ACTIONS[action](page, ...given)) ?? null);
  process.stdout.write(JSON.stringify({answers, complaints}));
} finally {
  await browser.close();
}
