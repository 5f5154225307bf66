// Occlusion maps: how much a score falls if a patch of the image is covered with its mean color, as
// docs/explanation.md of sensenet defines them. Python computes the same.

const PATCHES = 7; // that fit the shorter side of an image
const STEPS = 2; // in which a patch moves by its size
const PAUSE = 40; // milliseconds after which the page may show something

/**
 * Cover one patch of the pixels after another, and return {patch, tops, lefts, drops}: the side of a patch, where
 * patches start, and how much the score falls for each, one row of patches after another. `score` answers pixels;
 * `report` gets the number of patches that were covered, and of all, and says whether to go on. Null if not.
 */
export async function occlude(pixels, channels, whole, score, report) {
  const {width, height} = pixels;
  const patch = findPatch(Math.min(width, height));
  const [tops, lefts] = [height, width].map((length) => findStarts(length, patch));
  const covered = new ImageData(new Uint8ClampedArray(pixels.data), width, height);
  const color = meanColor(pixels.data, channels);
  const drops = [];
  let shown = -Infinity;
  for (const top of tops) {
    for (const left of lefts) {
      if (performance.now() - shown > PAUSE) {
        await new Promise((resolve) => setTimeout(resolve));
        if (!report(drops.length, tops.length * lefts.length)) return null;
        shown = performance.now();
      }
      const rows = Array.from({length: patch}, (_, row) => 4 * ((top + row) * width + left));
      for (const start of rows) {
        for (let i = start; i < start + 4 * patch; i++) if (i % 4 < channels) covered.data[i] = color[i % 4];
      }
      drops.push(whole - (await score(covered)));
      for (const start of rows) covered.data.set(pixels.data.subarray(start, start + 4 * patch), start);
    }
  }
  return {patch, tops, lefts, drops};
}

/** The side of a patch for the shorter side of an image. */
export function findPatch(shorter) {
  return Math.min(Math.max(Math.ceil(shorter / PATCHES), STEPS), shorter);
}

/** Where patches start, so that they overlap by half and reach the end. */
export function findStarts(length, patch) {
  const step = Math.max(Math.floor(patch / STEPS), 1);
  const starts = Array.from({length: Math.ceil((length - patch) / step)}, (_, i) => i * step);
  return [...starts, length - patch];
}

/** The mean of each channel, rounded as NumPy does: halves to even numbers. */
export function meanColor(data, channels) {
  return Array.from({length: channels}, (_, channel) => {
    let sum = 0;
    for (let i = channel; i < data.length; i += 4) sum += data[i];
    const mean = (4 * sum) / data.length;
    const below = Math.floor(mean);
    return mean - below === 0.5 ? below + (below % 2) : Math.round(mean);
  });
}

/** The mean fall over the patches that cover a pixel, as means over as many cells as there are patches, row by row. */
export function findHeat({patch, tops, lefts, drops}, width, height) {
  const down = coverCells(tops, patch, height);
  const across = coverCells(lefts, patch, width);
  return down.flatMap((byTop) =>
    across.map((byLeft) => {
      let sum = 0;
      byTop.forEach((share, top) => {
        if (share) byLeft.forEach((other, left) => (sum += share * other * drops[top * lefts.length + left]));
      });
      return sum;
    }),
  );
}

/** For each cell, the share that each patch has in it: a pixel is shared by the patches that cover it. */
function coverCells(starts, patch, length) {
  const cells = starts.map(() => starts.map(() => 0));
  const sizes = starts.map(() => 0);
  for (let pixel = 0; pixel < length; pixel++) {
    const cell = Math.floor(((pixel + 0.5) * starts.length) / length);
    const over = [...starts.keys()].filter((i) => starts[i] <= pixel && pixel < starts[i] + patch);
    for (const i of over) cells[cell][i] += 1 / over.length;
    sizes[cell]++;
  }
  return cells.map((shares, cell) => shares.map((share) => share / Math.max(1, sizes[cell])));
}

/** Intersection over union of two boxes. */
export function overlap(box, other) {
  const width = Math.max(0, Math.min(box[2], other[2]) - Math.max(box[0], other[0]));
  const height = Math.max(0, Math.min(box[3], other[3]) - Math.max(box[1], other[1]));
  const [area, areas] = [box, other].map((each) => (each[2] - each[0]) * (each[3] - each[1]));
  return (width * height) / (area + areas - width * height + 1e-8);
}
