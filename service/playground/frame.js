/** The fields beside the steps, as in the service's schema of a spec; a test compares the two. */

export const FRAME = {
  alpha: {
    enum: ["auto", "preserve", "premultiply", "channels"],
    default: "auto",
    description: "How transparency is filtered; auto sets an opaque alpha plane aside.",
  },
  color_space: {
    enum: ["coded", "linear"],
    default: "coded",
    description: "The numbers as stored, or linear light, in which blurs mix colours as lenses do.",
  },
};

export const OUTPUT = {
  range: {
    enum: ["clip", "abs", "center", "minmax"],
    default: "clip",
    description: "Into 0 to 255: clipped; as absolute values; 128 added, for signed results; or stretched.",
  },
  dtype: {
    enum: ["auto", "uint8", "uint16", "float32"],
    default: "auto",
    description: "Type of the samples; auto is that of the picture, float32 is for TIFF.",
  },
  layout: {
    enum: ["auto", "montage"],
    default: "auto",
    description: "montage: any number of channels as a grid of gray tiles.",
  },
  compression: { enum: ["fast", "small"], default: "fast", description: "Fast to write, or small to send." },
};
