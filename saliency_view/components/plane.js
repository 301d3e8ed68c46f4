// A map of cells on a canvas: press a cell to choose it, or paint weights over cells by dragging.

const STEPS = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };
const WIDEST = 36; // CSS pixels of a cell

class Plane {
  constructor(root) {
    this.root = root;
    this.title = make("p", { class: "heading" });
    this.canvas = make("canvas", { class: "plane-canvas", tabindex: 0, role: "application" });
    this.reading = make("p", { class: "plane-reading muted", "aria-live": "polite" });
    this.scale = buildScale();
    this.brush = buildBrush(this);
    const parts = [this.title, this.brush.node, this.canvas, this.reading, this.scale.node];
    this.node = make("section", { class: "part plane" }, ...parts);
    this.watch = new ResizeObserver(() => this.fit());
    this.watch.observe(this.node);
    this.sendLater = debounced(() => this.send?.(), 120);
    this.bind();
    root.append(this.node);
  }

  close() {
    this.watch.disconnect();
    this.sendLater.cancel();
    this.node.remove();
  }

  update({ data, setStateValue }) {
    if (!data) return;
    const news = unpack(data);
    const { key, revision } = this.shown ?? {};
    const overruled = news.key !== key || news.revision !== revision;
    this.shown = news;
    [this.rows, this.columns] = news.arrays.values.shape;
    this.paints = news.runs !== null;
    if (overruled) this.take(news);
    this.send = () => {
      const value = this.paints ? this.runs() : this.cell;
      setStateValue(this.paints ? "runs" : "cell", { revision: news.revision, value });
    };
    setText(this.title, news.title);
    this.canvas.setAttribute("aria-label", `${news.title}. Arrow keys move, Enter ${this.paints ? "paints" : "chooses"}.`);
    this.brush.node.hidden = !this.paints;
    this.scale.fill(news);
    this.picture = this.composed();
    this.fit();
    this.read();
  }

  take({ cell, runs }) {
    this.cell = cell;
    this.cursor = null;
    this.weights = new Float64Array(this.rows * this.columns);
    for (const [start, length, weight] of runs ?? []) this.weights.fill(weight, start, start + length);
  }

  runs() {
    const found = [];
    this.weights.forEach((weight, place) => {
      const last = found.at(-1);
      if (last && last[2] === weight && last[0] + last[1] === place) last[1] += 1;
      else if (weight) found.push([place, 1, weight]);
    });
    return found;
  }

  composed() {
    const { values, lut } = this.shown.arrays;
    const picture = new ImageData(this.columns, this.rows);
    values.data.forEach((value, place) => {
      const colour = paletteColour(lut, this.shown.family, shareOf(value, this.shown.limit));
      picture.data.set([...colour, 255], 4 * place);
    });
    return picture;
  }

  // Weights over the values: two hues for the signs, as strong as their share of the largest.
  painted() {
    const picture = new ImageData(new Uint8ClampedArray(this.picture.data), this.columns);
    const most = this.weights.reduce((size, weight) => Math.max(size, Math.abs(weight)), 0);
    const hues = this.shown.arrays.lut_weights;
    this.weights.forEach((weight, place) => {
      if (!weight) return;
      const share = (Math.sign(weight) * (0.45 + 0.55 * Math.abs(weight / most)));
      picture.data.set(paletteColour(hues, "diverging", share), 4 * place);
    });
    return picture;
  }

  fit() {
    const room = this.node.clientWidth;
    if (!room || !this.shown) return;
    const tallest = Math.max(220, 0.62 * window.innerHeight) / this.rows;
    const size = Math.min(room / this.columns, WIDEST, Math.min(460, tallest * this.rows) / this.rows);
    this.size = size;
    this.density = window.devicePixelRatio || 1;
    this.canvas.style.width = `${size * this.columns}px`;
    this.canvas.style.height = `${size * this.rows}px`;
    this.canvas.width = Math.round(size * this.columns * this.density);
    this.canvas.height = Math.round(size * this.rows * this.density);
    this.draw();
  }

  draw() {
    if (!this.size) return;
    const pen = this.canvas.getContext("2d");
    const shown = this.paints ? this.painted() : this.picture;
    this.held = asPixels(shown, this.held);
    pen.setTransform(1, 0, 0, 1, 0, 0);
    pen.imageSmoothingEnabled = false;
    pen.drawImage(this.held, 0, 0, this.canvas.width, this.canvas.height);
    pen.setTransform(this.density, 0, 0, this.density, 0, 0);
    if (this.cell && !this.paints) this.outline(pen, this.cell, true);
    if (this.cursor && (this.inside || this.root.activeElement === this.canvas)) this.outline(pen, this.cursor, false);
    Object.assign(this.canvas.dataset, { size: this.size, rows: this.rows, columns: this.columns });
  }

  outline(pen, [row, column], chosen) {
    const size = Math.max(this.size, chosen ? 9 : 5);
    const left = (column + 0.5) * this.size - size / 2;
    const top = (row + 0.5) * this.size - size / 2;
    const inset = chosen ? 1.5 : 1;
    for (const [colour, width] of [["rgb(0 0 0 / 0.8)", chosen ? 5 : 3], ["#fff", chosen ? 2.5 : 1.25]]) {
      pen.strokeStyle = colour;
      pen.lineWidth = width;
      pen.strokeRect(left + inset, top + inset, size - 2 * inset, size - 2 * inset);
    }
  }

  at(event) {
    const box = this.canvas.getBoundingClientRect();
    const clamp = (place, count) => Math.min(Math.max(place, 0), count - 1);
    const row = clamp(Math.floor(((event.clientY - box.top) / box.height) * this.rows), this.rows);
    return [row, clamp(Math.floor(((event.clientX - box.left) / box.width) * this.columns), this.columns)];
  }

  bind() {
    const { canvas } = this;
    canvas.addEventListener("pointerdown", (event) => {
      if (event.button !== 0) return;
      canvas.setPointerCapture(event.pointerId);
      this.last = this.at(event);
      if (this.paints) this.stroke(this.last, this.last);
      this.pressed = true;
    });
    canvas.addEventListener("pointermove", (event) => {
      this.inside = true;
      this.cursor = this.at(event);
      if (this.pressed && this.paints) {
        this.stroke(this.last, this.cursor);
        this.last = this.cursor;
      }
      this.drawSoon();
    });
    canvas.addEventListener("pointerup", (event) => {
      if (!this.pressed) return;
      this.pressed = false;
      if (this.paints) this.sendLater();
      else this.choose(this.at(event));
    });
    canvas.addEventListener("pointercancel", () => (this.pressed = false));
    canvas.addEventListener("pointerleave", () => {
      this.inside = false;
      this.cursor = null;
      this.drawSoon();
    });
    canvas.addEventListener("keydown", (event) => this.walk(event));
    canvas.addEventListener("blur", () => this.drawSoon());
  }

  drawSoon() {
    this.frame ??= requestAnimationFrame(() => {
      this.frame = undefined;
      this.draw();
      this.read();
    });
  }

  walk(event) {
    const from = this.cursor ?? this.cell ?? [0, 0];
    const step = STEPS[event.key];
    if (step) {
      const clamp = (place, count) => Math.min(Math.max(place, 0), count - 1);
      this.cursor = [clamp(from[0] + step[0], this.rows), clamp(from[1] + step[1], this.columns)];
    } else if (event.key === "Enter" || event.key === " ") {
      this.cursor = from;
      if (this.paints) {
        this.stroke(from, from);
        this.sendLater();
      } else this.choose(from);
    } else return;
    event.preventDefault();
    this.drawSoon();
  }

  choose(cell) {
    this.cell = cell;
    this.drawSoon();
    this.send?.();
  }

  // Cells along a line, each widened to the brush.
  stroke(from, to) {
    const steps = Math.max(Math.abs(to[0] - from[0]), Math.abs(to[1] - from[1]), 1);
    const { weight, half } = this.brush;
    for (let step = 0; step <= steps; step++) {
      const [row, column] = [0, 1].map((axis) => Math.round(from[axis] + ((to[axis] - from[axis]) * step) / steps));
      for (let r = Math.max(0, row - half); r <= Math.min(this.rows - 1, row + half); r++) {
        const start = r * this.columns + Math.max(0, column - half);
        this.weights.fill(weight, start, r * this.columns + Math.min(this.columns - 1, column + half) + 1);
      }
    }
    this.drawSoon();
  }

  all(weight) {
    this.weights.fill(weight);
    this.drawSoon();
    this.sendLater();
  }

  read() {
    const place = this.cursor ?? (this.paints ? null : this.cell);
    if (!place) {
      const many = this.paints ? this.weights.reduce((sum, weight) => sum + (weight !== 0), 0) : 0;
      const count = many === 1 ? "1 cell has a weight" : `${many} of ${this.weights.length} cells have a weight`;
      setText(this.reading, this.paints ? count : "Point at a cell to read its value");
      return;
    }
    const at = place[0] * this.columns + place[1];
    const weight = this.paints ? `, weight ${numberText(this.weights[at])}` : "";
    const value = numberText(this.shown.arrays.values.data[at]);
    setText(this.reading, `Row ${place[0]}, column ${place[1]}: ${value}${weight}`);
  }
}

function asPixels(picture, old) {
  const canvas = old ?? document.createElement("canvas");
  if (canvas.width !== picture.width) canvas.width = picture.width;
  if (canvas.height !== picture.height) canvas.height = picture.height;
  canvas.getContext("2d").putImageData(picture, 0, 0);
  return canvas;
}

function buildBrush(plane) {
  const weight = make("input", { type: "number", step: "any", value: 1, class: "key brush-weight" });
  const sizes = make("select", { class: "key" });
  for (const size of [1, 3, 5, 9, 17]) sizes.append(make("option", { value: size, text: `${size} x ${size}` }));
  const erase = make("button", { type: "button", class: "key", text: "Erase", "aria-pressed": "false" });
  erase.addEventListener("click", () => {
    erase.setAttribute("aria-pressed", String(erase.getAttribute("aria-pressed") !== "true"));
  });
  const press = (text, action) => make("button", { type: "button", class: "key", text, onclick: action });
  const brush = {
    get weight() {
      if (erase.getAttribute("aria-pressed") === "true") return 0;
      return Number.isFinite(weight.valueAsNumber) ? weight.valueAsNumber : 1;
    },
    get half() {
      return (Number(sizes.value) - 1) / 2;
    },
  };
  brush.node = make(
    "div",
    { class: "brush", role: "group", "aria-label": "Brush" },
    make("label", {}, "Weight ", weight),
    make("label", {}, "Brush ", sizes),
    erase,
    press("Fill", () => plane.all(brush.weight)),
    press("Clear", () => plane.all(0)),
  );
  return brush;
}
