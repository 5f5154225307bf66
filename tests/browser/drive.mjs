// Opens a page in Chromium and calls its function `predict` with each of some requests.
//
//   stdin: {"executable": path, "page": url, "requests": [...]}; stdout: the list of answers

import {text} from 'node:stream/consumers';

import {launch} from './launch.mjs';

const {executable, page: address, requests} = JSON.parse(await text(process.stdin));
const browser = await launch(executable, {
  // WebGL and WebGPU without a graphics processor: SwiftShader computes them
  flags: ['--use-gl=angle', '--use-angle=swiftshader', '--enable-unsafe-swiftshader', '--enable-unsafe-webgpu',
    '--use-webgpu-adapter=swiftshader'],
});
try {
  const page = await browser.openPage();
  page.on('pageerror', (error) => console.error(error));
  await page.goto(address);
  const answers = [];
  for (const request of requests) answers.push(await page.evaluate((given) => predict(given), request));
  process.stdout.write(JSON.stringify(answers));
} finally {
  await browser.close();
}
