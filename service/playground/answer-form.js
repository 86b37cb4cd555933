/** The form of the result: PNG, or a format that may be lossy, with its quality and background. */

/** Forms by media type; `quality` is the default. A test compares them with the service's. */
export const FORMS = {
  "image/png": { name: "PNG", suffix: "png" },
  "image/jpeg": { name: "JPEG", suffix: "jpg", quality: 90, background: "#ffffff" },
  "image/webp": { name: "WebP", suffix: "webp", quality: 90 },
  "image/avif": { name: "AVIF", suffix: "avif", quality: 75 },
  "image/tiff": { name: "TIFF", suffix: "tiff" },
};
const PNG = "image/png";

/** Return the media type that a spec asks for. */
export const mediaType = (spec) => spec.output?.media_type ?? PNG;

/** Return the form of a media type. */
export const formOf = (type) => FORMS[type] ?? FORMS[PNG];

export class AnswerForm {
  #state;
  #form;
  #quality;
  #level;
  #background;

  constructor(root, state) {
    this.#state = state;
    this.#form = root.querySelector("#form");
    this.#quality = root.querySelector("#quality");
    this.#level = root.querySelector("#quality-level");
    this.#background = root.querySelector("#background");
    for (const [type, { name }] of Object.entries(FORMS)) this.#form.append(new Option(name, type));
    this.#form.addEventListener("change", () => this.#choose(this.#form.value));
    this.#quality.addEventListener("input", () => state.setOutput("quality", Number(this.#quality.value)));
    this.#background.addEventListener("input", () => state.setOutput("background", this.#background.value));
    state.subscribe(() => this.draw());
  }

  draw() {
    const output = this.#state.frame.output ?? {};
    const type = mediaType(this.#state.frame);
    const { quality, background } = formOf(type);
    this.#form.value = type;
    this.#quality.closest("label").hidden = quality === undefined || output.quality === "lossless";
    this.#background.closest("label").hidden = background === undefined;
    this.#quality.value = output.quality ?? quality ?? 100;
    this.#level.textContent = this.#quality.value;
    this.#background.value = output.background ?? background ?? "#ffffff";
  }

  /** Ask for another form; settings that only the old form has are removed. */
  #choose(type) {
    const output = { ...this.#state.frame.output };
    delete output.quality;
    delete output.background;
    delete output.media_type;
    if (type !== PNG) output.media_type = type;
    if (FORMS[type].background) output.background = FORMS[type].background;
    this.#state.setFrame("output", Object.keys(output).length ? output : undefined);
  }
}
