// Colours from numbers: the same arithmetic, in the same order, as layer, backdrop and over in saliency_core/render/compose.py.

const LEVELS = { sequential: 255, diverging: 128 };

function shareOf(value, limit) {
  return limit ? Math.min(1, Math.max(-1, value / limit)) : 0;
}

function paletteIndex(family, share) {
  const steps = Math.floor(Math.abs(share) * LEVELS[family] + 0.5);
  if (family === "sequential") return steps;
  return share < 0 ? 128 - steps : 128 + steps;
}

function paletteColour(lut, family, share) {
  return pixelOf(lut, paletteIndex(family, share));
}

// pixelOf(photo, row, column) or pixelOf(lut, index): the numbers along the last axis.
function pixelOf({ shape, data }, ...place) {
  const length = shape.at(-1);
  const start = length * (place.length === 2 ? place[0] * shape[1] + place[1] : place[0]);
  return [...data.subarray(start, start + length)];
}

function photoColour(photo, row, column) {
  const colour = pixelOf(photo, row, column);
  return colour.length === 3 ? colour : [colour[0], colour[0], colour[0]];
}

// A map coarser than the photo covers it: every photo pixel reads the cell it lies in.
function cellOf(shown, row, column) {
  const [rows, columns] = shown.arrays.photo.shape;
  const [mapRows, mapColumns] = shown.arrays.values.shape;
  const across = Math.floor(((column + 0.5) * mapColumns) / columns);
  return Math.floor(((row + 0.5) * mapRows) / rows) * mapColumns + across;
}

function valueAt(shown, row, column) {
  return shown.arrays.values.data[cellOf(shown, row, column)];
}

function isFaint(shown, row, column) {
  return Boolean(shown.arrays.faint?.data[cellOf(shown, row, column)]);
}

function photoPicture(photo, grey) {
  const [rows, columns, depth] = photo.shape;
  const { data } = photo;
  const picture = new ImageData(columns, rows);
  for (let from = 0, to = 0; from < data.length; from += depth, to += 4) {
    const [red, green, blue] = [data[from], data[from + (depth === 3)], data[from + 2 * (depth === 3)]];
    const light = Math.floor((299 * red + 587 * green + 114 * blue) / 1000);
    picture.data[to] = grey ? light : red;
    picture.data[to + 1] = grey ? light : green;
    picture.data[to + 2] = grey ? light : blue;
    picture.data[to + 3] = 255;
  }
  return picture;
}

function composed(shown, lut, { opacity, threshold, backdrop }) {
  const { limit, family } = shown;
  const picture = photoPicture(shown.arrays.photo, backdrop === "grey");
  const { data, width } = picture;
  const { data: values } = shown.arrays.values;
  const faint = shown.arrays.faint?.data;
  for (let at = 0; at < data.length / 4; at++) {
    const cell = cellOf(shown, Math.floor(at / width), at % width);
    const share = shareOf(values[cell], limit);
    const size = Math.abs(share);
    const alpha = size < threshold || faint?.[cell] ? 0 : Math.floor(255 * opacity * size + 0.5);
    const from = 3 * paletteIndex(family, share);
    for (let i = 0; i < 3; i++) {
      data[4 * at + i] = Math.floor((data[4 * at + i] * (255 - alpha) + lut.data[from + i] * alpha + 127) / 255);
    }
  }
  return picture;
}

// The map alone, opaque, in the colours of the scale; what the threshold hides has the colour of zero.
function mapPicture(shown, lut, { threshold }) {
  const { limit, family } = shown;
  const [rows, columns] = shown.arrays.photo.shape;
  const picture = new ImageData(columns, rows);
  for (let at = 0; at < rows * columns; at++) {
    const cell = cellOf(shown, Math.floor(at / columns), at % columns);
    const share = shareOf(shown.arrays.values.data[cell], limit);
    const hidden = Math.abs(share) < threshold || shown.arrays.faint?.data[cell];
    const from = 3 * paletteIndex(family, hidden ? 0 : share);
    picture.data.set([lut.data[from], lut.data[from + 1], lut.data[from + 2], 255], 4 * at);
  }
  return picture;
}

function colourIn({ data, width }, row, column) {
  const start = 4 * (row * width + column);
  return [...data.subarray(start, start + 3)];
}

function cssColour(colour) {
  return `rgb(${colour.join(" ")})`;
}

// Black or white, whichever reads better on the colour (relative luminance, WCAG).
function inkOn(colour) {
  const [red, green, blue] = colour.map((part) => {
    const share = part / 255;
    return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue > 0.179 ? "#000" : "#fff";
}

function paletteGradient(lut) {
  const stops = Array.from({ length: 17 }, (_, i) => pixelOf(lut, Math.round((i / 16) * (lut.shape[0] - 1))));
  return `linear-gradient(to right, ${stops.map(cssColour).join(", ")})`;
}
