// Starts Chromium by the DevTools protocol, or Firefox by WebDriver BiDi.

import {createRequire} from 'node:module';

const require = createRequire(new URL('../js/package.json', import.meta.url));
const puppeteer = require('puppeteer-core');

const CHROMIUM = ['--no-sandbox', '--disable-background-networking', '--use-fake-device-for-media-stream', '--use-fake-ui-for-media-stream'];

const FIREFOX = {
  'media.navigator.streams.fake': true,
  'media.navigator.permission.disabled': true,
  'dom.events.testing.asyncClipboard': true, // reads without asking
};

/**
 * A browser {openPage, close}: a page as large, light or dark, and still as wanted, which may read the clipboard and
 * saves files in the directory `downloads`. `flags` are of Chromium alone.
 */
export async function launch(executable, look = {}) {
  const {width = 1280, height = 900, scheme = 'light', motion = 'no-preference', zoom = 1, downloads, flags = []} = look;
  const firefox = /firefox/i.test(executable);
  const viewport = {width: Math.round(width / zoom), height: Math.round(height / zoom), deviceScaleFactor: zoom};
  const browser = await puppeteer.launch({
    executablePath: executable,
    browser: firefox ? 'firefox' : 'chrome',
    args: firefox ? [] : [...CHROMIUM, ...flags],
    extraPrefsFirefox: {
      ...FIREFOX,
      'layout.css.prefers-color-scheme.content-override': scheme === 'dark' ? 0 : 1,
      'ui.prefersReducedMotion': motion === 'reduce' ? 1 : 0,
      'browser.download.folderList': 2,
      'browser.download.dir': downloads ?? '',
      'browser.helperApps.neverAsk.saveToDisk': 'text/csv',
    },
    defaultViewport: null,
    protocolTimeout: 240_000,
  });
  const openPage = async () => {
    const page = await browser.newPage(); // the first page of Firefox never has the focus
    await page.setViewport(viewport);
    if (firefox) return page;
    await page.emulateMediaFeatures([
      {name: 'prefers-color-scheme', value: scheme},
      {name: 'prefers-reduced-motion', value: motion},
    ]);
    const session = await page.createCDPSession();
    await session.send('Browser.grantPermissions', {permissions: ['clipboardReadWrite', 'clipboardSanitizedWrite']});
    if (downloads) await session.send('Browser.setDownloadBehavior', {behavior: 'allow', downloadPath: downloads});
    return page;
  };
  return {openPage, close: () => browser.close()};
}
