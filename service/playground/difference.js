/** The absolute difference of two pictures; the first is scaled to the size of the second. */

export class Difference {
  #key = [];
  #made = null;

  /** Return {canvas, statistics}; recomputed only if something has changed. */
  of(before, after, gain) {
    const key = [before, after, gain];
    if (!key.every((part, at) => part === this.#key[at])) {
      this.#key = key;
      this.#made = compute(before, after, gain);
    }
    return this.#made;
  }
}

function compute(before, after, gain) {
  const { width, height } = after;
  const one = pixels(before, width, height);
  const other = pixels(after, width, height);
  let total = 0;
  let most = 0;
  const result = other.image;
  const [from, to] = [one.image.data, result.data];
  for (let at = 0; at < to.length; at += 4) {
    for (let channel = at; channel < at + 3; channel += 1) {
      const difference = Math.abs(to[channel] - from[channel]);
      total += difference;
      if (difference > most) most = difference;
      to[channel] = difference * gain;
    }
    to[at + 3] = 255;
  }
  other.context.putImageData(result, 0, 0);
  return { canvas: other.canvas, statistics: { mean: total / (0.75 * to.length), most } };
}

function pixels(picture, width, height) {
  const canvas = new OffscreenCanvas(width, height);
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.imageSmoothingEnabled = false;
  context.drawImage(picture, 0, 0, width, height);
  return { canvas, context, image: context.getImageData(0, 0, width, height) };
}
