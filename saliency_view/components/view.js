// Where the picture lies on its stage: scale in CSS pixels per picture pixel, left and top in CSS pixels.

const LARGEST_CELL = 72;

class View {
  constructor() {
    Object.assign(this, { rows: 1, columns: 1, width: 1, height: 1, scale: 0, left: 0, top: 0 });
  }

  get whole() {
    return Math.min(this.width / this.columns, this.height / this.rows);
  }

  get largest() {
    return Math.max(4 * this.whole, LARGEST_CELL);
  }

  get isWhole() {
    return this.scale <= this.whole * 1.0001;
  }

  setPicture(rows, columns) {
    const same = rows === this.rows && columns === this.columns;
    Object.assign(this, { rows, columns });
    if (!same) this.reset();
  }

  setStage(width, height) {
    const wasWhole = !this.scale || this.isWhole;
    const x = (this.width / 2 - this.left) / (this.scale || 1);
    const y = (this.height / 2 - this.top) / (this.scale || 1);
    Object.assign(this, { width, height });
    if (wasWhole) return this.reset();
    return this.place(this.scale, width / 2 - x * this.scale, height / 2 - y * this.scale);
  }

  // The whole picture; asked again, the full width of a picture that is higher than the stage.
  reset() {
    this.place(this.whole, 0, 0);
  }

  resetOrWidth() {
    const wide = this.width / this.columns;
    const atWhole = this.isWhole && wide > this.whole * 1.01;
    this.place(atWhole ? wide : this.whole, 0, 0);
  }

  zoom(factor, x = this.width / 2, y = this.height / 2) {
    const scale = Math.min(Math.max(this.scale * factor, this.whole), this.largest);
    const grown = scale / this.scale;
    this.place(scale, x - (x - this.left) * grown, y - (y - this.top) * grown);
  }

  pan(x, y) {
    this.place(this.scale, this.left + x, this.top + y);
  }

  place(scale, left, top) {
    this.scale = Math.min(Math.max(scale, this.whole), this.largest);
    this.left = View.held(left, this.columns * this.scale, this.width);
    this.top = View.held(top, this.rows * this.scale, this.height);
  }

  // A picture smaller than the stage is centred, a larger one leaves no gap.
  static held(start, length, room) {
    return length <= room ? (room - length) / 2 : Math.min(0, Math.max(room - length, start));
  }

  pixelAt(x, y) {
    const row = Math.floor((y - this.top) / this.scale);
    const column = Math.floor((x - this.left) / this.scale);
    const inside = row >= 0 && row < this.rows && column >= 0 && column < this.columns;
    return inside ? [row, column] : null;
  }

  show([row, column]) {
    const gap = Math.min(2 * this.scale, this.width / 4, this.height / 4);
    const x = this.left + column * this.scale;
    const y = this.top + row * this.scale;
    const right = Math.max(0, x + this.scale + gap - this.width) - Math.max(0, gap - x);
    const down = Math.max(0, y + this.scale + gap - this.height) - Math.max(0, gap - y);
    this.pan(-right, -down);
  }
}
