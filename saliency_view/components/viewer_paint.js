// Draws the viewer's stage and its colour bar.

const GRID_FROM = 14;
const NUMBERS_FROM = 34;

function asCanvas(picture, old) {
  const canvas = old ?? document.createElement("canvas");
  if (canvas.width !== picture.width) canvas.width = picture.width;
  if (canvas.height !== picture.height) canvas.height = picture.height;
  canvas.getContext("2d").putImageData(picture, 0, 0);
  return canvas;
}

function visibleCells(view) {
  const first = (start) => Math.max(0, Math.floor(-start / view.scale));
  const last = (start, room, count) => Math.min(count, Math.ceil((room - start) / view.scale));
  return {
    rows: [first(view.top), last(view.top, view.height, view.rows)],
    columns: [first(view.left), last(view.left, view.width, view.columns)],
  };
}

function paintGrid(brush, view) {
  const { rows, columns } = visibleCells(view);
  const right = view.left + view.columns * view.scale;
  const bottom = view.top + view.rows * view.scale;
  brush.beginPath();
  for (let row = rows[0] + 1; row < rows[1]; row++) {
    const y = Math.round(view.top + row * view.scale) + 0.5;
    brush.moveTo(Math.max(0, view.left), y);
    brush.lineTo(Math.min(view.width, right), y);
  }
  for (let column = columns[0] + 1; column < columns[1]; column++) {
    const x = Math.round(view.left + column * view.scale) + 0.5;
    brush.moveTo(x, Math.max(0, view.top));
    brush.lineTo(x, Math.min(view.height, bottom));
  }
  brush.strokeStyle = "rgb(128 128 128 / 0.32)";
  brush.lineWidth = 1;
  brush.stroke();
}

function paintNumbers(brush, view, { textAt, colourAt, font }) {
  const { rows, columns } = visibleCells(view);
  const size = Math.min(15, view.scale * 0.3);
  brush.textAlign = "center";
  brush.textBaseline = "middle";
  for (let row = rows[0]; row < rows[1]; row++) {
    for (let column = columns[0]; column < columns[1]; column++) {
      const text = textAt(row, column);
      brush.font = `${size}px ${font}`;
      const fitting = (size * (view.scale - 4)) / brush.measureText(text).width;
      if (fitting < 8) continue;
      if (fitting < size) brush.font = `${fitting}px ${font}`;
      brush.fillStyle = inkOn(colourAt(row, column));
      brush.fillText(text, view.left + (column + 0.5) * view.scale, view.top + (row + 0.5) * view.scale);
    }
  }
}

// A box around one pixel, never smaller than can be seen; with ticks when it is the selected one.
function paintMark(brush, view, [row, column], chosen) {
  const size = Math.max(view.scale, 7);
  const x = view.left + (column + 0.5) * view.scale;
  const y = view.top + (row + 0.5) * view.scale;
  const shape = new Path2D();
  shape.rect(x - size / 2, y - size / 2, size, size);
  if (chosen) {
    for (const [across, down] of [[1, 0], [-1, 0], [0, 1], [0, -1]]) {
      shape.moveTo(x + (across * size) / 2, y + (down * size) / 2);
      shape.lineTo(x + across * (size / 2 + 9), y + down * (size / 2 + 9));
    }
  }
  brush.lineJoin = "miter";
  brush.strokeStyle = "rgb(0 0 0 / 0.75)";
  brush.lineWidth = chosen ? 4 : 3;
  brush.stroke(shape);
  brush.strokeStyle = "#fff";
  brush.lineWidth = chosen ? 2 : 1.25;
  brush.stroke(shape);
}

// A dashed frame around the pixels that count; white on black shows on every picture.
function paintBox(brush, view, [top, left, bottom, right]) {
  const { scale } = view;
  const size = [(right - left) * scale + 2, (bottom - top) * scale + 2]; // around the pixels, not over them
  const place = [view.left + left * scale - 1, view.top + top * scale - 1, ...size];
  brush.lineJoin = "miter";
  brush.strokeStyle = "rgb(0 0 0 / 0.8)";
  brush.lineWidth = 3.5;
  brush.strokeRect(...place);
  brush.setLineDash([7, 5]);
  brush.strokeStyle = "#fff";
  brush.lineWidth = 2;
  brush.strokeRect(...place);
  brush.setLineDash([]);
}

function paintStage(canvas, view, density, picture, drawn) {
  const brush = canvas.getContext("2d");
  brush.setTransform(1, 0, 0, 1, 0, 0);
  brush.clearRect(0, 0, canvas.width, canvas.height);
  brush.imageSmoothingEnabled = view.scale * density < 1;
  brush.imageSmoothingQuality = "high";
  const place = [view.left, view.top, view.columns * view.scale, view.rows * view.scale];
  brush.drawImage(picture, ...place.map((length) => Math.round(length * density)));
  brush.setTransform(density, 0, 0, density, 0, 0);
  if (view.scale >= GRID_FROM) paintGrid(brush, view);
  if (view.scale >= NUMBERS_FROM && !drawn.bare) paintNumbers(brush, view, drawn);
  if (drawn.box) paintBox(brush, view, drawn.box);
  for (const [pixel, chosen] of drawn.marks) paintMark(brush, view, pixel, chosen);
  Object.assign(canvas.dataset, { scale: view.scale, left: view.left, top: view.top });
}

// The palette from end to end; what the threshold hides is left out.
function paintBar(canvas, lut, family, threshold) {
  const steps = 512;
  canvas.width = steps;
  const brush = canvas.getContext("2d");
  const picture = brush.createImageData(steps, 1);
  for (let x = 0; x < steps; x++) {
    const share = (x + 0.5) / steps;
    const t = family === "diverging" ? 2 * share - 1 : share;
    const [red, green, blue] = paletteColour(lut, family, t);
    picture.data.set([red, green, blue, Math.abs(t) < threshold ? 0 : 255], 4 * x);
  }
  brush.putImageData(picture, 0, 0);
}
