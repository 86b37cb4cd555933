/** Read single samples of a picture. */

export class Pixel {
  #context = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });

  /** Return [red, green, blue, alpha] at a place. */
  read(picture, x, y) {
    this.#context.clearRect(0, 0, 1, 1);
    this.#context.drawImage(picture, x, y, 1, 1, 0, 0, 1, 1);
    return [...this.#context.getImageData(0, 0, 1, 1).data];
  }
}
