/** Sample pictures: a photograph, and patterns that show what a kernel does. */

/** List the sample pictures: a name, a file name and a function that makes the file. */
export const SAMPLES = [
  { name: "Cat", file: "cat.jpg", make: cat },
  { name: "Zone plate", file: "zone-plate.png", make: () => paint(384, 384, zonePlate) },
  { name: "Points", file: "points.png", make: () => paint(96, 96, points) },
  { name: "Stripes", file: "stripes.png", make: () => paint(256, 256, stripes) },
];

async function cat() {
  return (await fetch(new URL("sample.jpg", import.meta.url))).blob();
}

/** Make a PNG whose gray level is a function of x and y. */
function paint(width, height, gray) {
  const canvas = new OffscreenCanvas(width, height);
  const context = canvas.getContext("2d");
  const image = context.createImageData(width, height);
  for (let at = 0; at < width * height; at += 1) {
    const value = gray(at % width, Math.floor(at / width), width, height);
    image.data.set([value, value, value, 255], 4 * at);
  }
  context.putImageData(image, 0, 0);
  return canvas.convertToBlob({ type: "image/png" });
}

/** Rings that get finer outwards, down to two samples per ring: every frequency in every direction. */
function zonePlate(x, y, width, height) {
  const square = (x - width / 2) ** 2 + (y - height / 2) ** 2;
  return 128 + 127 * Math.cos((Math.PI * square) / width);
}

/** Single bright samples: each becomes the kernel, rotated by 180 degrees. */
function points(x, y) {
  return x % 32 === 16 && y % 32 === 16 ? 255 : 0;
}

/** Steps and slopes. */
function stripes(x, y, width, height) {
  return y < height / 2 ? (Math.floor(x / 32) % 2) * 255 : (x * 255) / (width - 1);
}

/** Make a small copy of a picture, for previews. */
export async function thumbnail(bitmap, side) {
  const scale = Math.min(1, side / Math.max(bitmap.width, bitmap.height));
  const canvas = new OffscreenCanvas(
    Math.max(1, Math.round(bitmap.width * scale)),
    Math.max(1, Math.round(bitmap.height * scale)),
  );
  const context = canvas.getContext("2d");
  context.imageSmoothingQuality = "high";
  context.drawImage(bitmap, 0, 0, canvas.width, canvas.height);
  return canvas.convertToBlob({ type: "image/png" });
}
