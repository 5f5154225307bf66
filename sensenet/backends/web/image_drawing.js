// Draws the image of the page: a detector's boxes, an occlusion map.

import {find, nameText, percentText} from './dom.js';

const HEIGHT = 0.65; // of the window, that an image has at most
const COARSE = 3; // from this enlargement on, pixels are shown as squares

// Those of sensenet.explanation: colors of parts for and against the answer, and the share of the strongest one.
const [SUPPORT, AGAINST] = [
  [214, 40, 30],
  [30, 90, 230],
];
const STRONGEST = 0.85;
const BRIGHTER = 64;

/**
 * Draw a canvas as large as fits, and boxes with their labels, so that both can be read on any image. A map
 * {rows, columns, heat} is drawn over it, which is gray then.
 */
export function drawImage(image, objects, map = null) {
  const shown = find('canvas');
  find('invitation').classList.add('below');
  shown.hidden = false;
  const fits = Math.min(find('drop').clientWidth / image.width, (HEIGHT * innerHeight) / image.height);
  shown.style.width = `${image.width * fits}px`;
  const unit = devicePixelRatio;
  const scale = fits * unit;
  shown.width = Math.max(1, Math.round(image.width * scale));
  shown.height = Math.max(1, Math.round(image.height * scale));
  const context = shown.getContext('2d');
  context.imageSmoothingEnabled = scale < COARSE;
  context.drawImage(map ? makeGray(image) : image, 0, 0, shown.width, shown.height);
  if (map) drawHeat(context, map);
  context.font = `600 ${14 * unit}px system-ui, sans-serif`;
  context.textBaseline = 'top';
  context.lineJoin = 'round';
  for (const {label, score, box} of [...objects].reverse()) {
    const text = `${nameText(label, 24)} ${percentText(score)}`;
    drawBox(
      context,
      box.map((side) => side * scale),
      text,
      unit,
    );
  }
}

function drawBox(context, [left, top, right, bottom], text, unit) {
  const style = getComputedStyle(document.documentElement);
  const [accent, ink] = ['--accent', '--on-accent'].map((name) => style.getPropertyValue(name).trim());
  for (const [width, color] of [
    [5, ink],
    [2.5, accent],
  ]) {
    context.lineWidth = width * unit;
    context.strokeStyle = color;
    context.strokeRect(left, top, right - left, bottom - top);
  }
  const {canvas} = context;
  const [width, height] = [context.measureText(text).width + 10 * unit, 20 * unit];
  const x = Math.min(Math.max(0, left), Math.max(0, canvas.width - width));
  const y = top >= height ? top - height : Math.max(0, Math.min(top, canvas.height - height));
  context.fillStyle = accent;
  context.fillRect(x, y, width, height);
  context.fillStyle = ink;
  context.fillText(text, x + 5 * unit, y + 3 * unit);
}

/** A canvas with the image in gray, brighter than it is. */
function makeGray(image) {
  const {width, height} = image;
  const pixels = image.getContext('2d').getImageData(0, 0, width, height);
  const {data} = pixels;
  for (let i = 0; i < data.length; i += 4) {
    const gray = 0.299 * data[i] + 0.587 * data[i + 1] + 0.114 * data[i + 2];
    data.fill(BRIGHTER + (1 - BRIGHTER / 256) * gray, i, i + 3);
  }
  return makeCanvas(pixels);
}

function drawHeat(context, {rows, columns, heat}) {
  const greatest = Math.max(...heat.map(Math.abs)) || 1;
  const pixels = new ImageData(columns, rows);
  heat.forEach((value, i) => {
    const [color, share] = [value < 0 ? AGAINST : SUPPORT, Math.abs(value) / greatest];
    pixels.data.set([...color, Math.round(255 * STRONGEST * share)], 4 * i);
  });
  context.imageSmoothingEnabled = true;
  context.imageSmoothingQuality = 'high';
  context.drawImage(makeCanvas(pixels), 0, 0, context.canvas.width, context.canvas.height);
}

function makeCanvas(pixels) {
  const context = document.createElement('canvas').getContext('2d');
  [context.canvas.width, context.canvas.height] = [pixels.width, pixels.height];
  context.putImageData(pixels, 0, 0);
  return context.canvas;
}
