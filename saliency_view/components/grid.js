// A small grid of numbers in colour; in weights mode a press gives a cell the weight 1 or takes it away.

const STEPS = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };

class Grid {
  constructor(root) {
    this.root = root;
    this.title = make("p", { class: "heading" });
    this.table = make("div", { class: "grid" });
    this.unit = make("p", { class: "grid-unit muted" });
    this.weightName = make("span");
    this.weight = make("input", { type: "number", step: "any", class: "key weight-input" });
    this.editor = make("label", { class: "weight" }, this.weightName, this.weight);
    const scroll = make("div", { class: "grid-scroll" }, this.table);
    this.node = make("section", { class: "part" }, this.title, scroll, this.unit, this.editor);
    this.sendLater = debounced(() => this.send(), 150);
    this.table.addEventListener("click", (event) => this.press(event));
    this.table.addEventListener("keydown", (event) => this.walk(event));
    this.table.addEventListener("focusin", (event) => this.reach(event.target.closest("[data-place]")));
    this.weight.addEventListener("input", () => this.write());
    this.weight.addEventListener("change", () => this.showWeight());
    root.append(this.node);
  }

  close() {
    this.sendLater.cancel();
    this.node.remove();
  }

  update({ data, setStateValue }) {
    if (!data) return;
    const news = unpack(data);
    const { key, revision } = this.shown ?? {};
    const [rows, columns] = news.arrays.values.shape;
    const shape = [rows, columns, news.weights !== null].join();
    if (news.key !== key || news.revision !== revision) this.takeWeights(news.weights, columns);
    this.shown = news;
    this.send = () => setStateValue("weights", { revision: news.revision, value: this.listed() });
    if (shape !== this.shape) this.build(rows, columns);
    this.shape = shape;
    setText(this.title, news.title);
    setText(this.unit, news.unit);
    this.table.setAttribute("aria-label", news.title);
    this.fill();
  }

  takeWeights(weights, columns) {
    this.weights = new Map((weights ?? []).map(([row, column, weight]) => [row * columns + column, weight]));
  }

  listed() {
    const { columns } = this;
    const places = [...this.weights].sort(([one], [other]) => one - other);
    return places.map(([place, weight]) => [Math.floor(place / columns), place % columns, weight]);
  }

  build(rows, columns) {
    const chosen = [...this.weights.keys()].sort((one, other) => one - other)[0] ?? 0;
    Object.assign(this, { rows, columns, active: chosen < rows * columns ? chosen : 0 });
    const pressable = this.shown.weights !== null;
    const head = (text, role) => make("span", { class: "grid-head muted", role, text });
    const numbers = Array.from({ length: columns }, (_, column) => head(column, "columnheader"));
    const line = (...cells) => make("div", { role: "row", class: "grid-row" }, ...cells);
    this.cells = [];
    const lines = Array.from({ length: rows }, (_, row) => {
      const cells = Array.from({ length: columns }, (__, column) => this.cell(row * columns + column, pressable));
      this.cells.push(...cells);
      return line(head(row, "rowheader"), ...cells.map(({ node }) => node));
    });
    this.table.setAttribute("role", pressable ? "grid" : "table");
    this.table.style.setProperty("--columns", columns);
    this.table.classList.toggle("pressable", pressable);
    this.table.replaceChildren(line(head("", "columnheader"), ...numbers), ...lines);
    this.editor.hidden = !pressable;
    this.nameEditor();
  }

  cell(place, pressable) {
    const number = make("span", { class: "cell-number" });
    const badge = make("span", { class: "cell-badge", "aria-hidden": "true" });
    const settings = { class: "cell", "data-place": place };
    if (!pressable) return { node: make("div", { ...settings, role: "cell" }, number), number, badge };
    const button = make("button", { ...settings, type: "button", tabindex: place === this.active ? 0 : -1 }, number, badge);
    return { node: make("div", { role: "gridcell" }, button), button, number, badge };
  }

  fill() {
    const { values, lut } = this.shown.arrays;
    const { limit } = this.shown;
    const texts = Array.from(values.data, (value) => numberText(value));
    this.table.style.setProperty("--letters", Math.max(3, ...texts.map((text) => text.length)));
    this.cells.forEach(({ node, button, number }, place) => {
      const value = values.data[place];
      const colour = paletteColour(lut, "diverging", shareOf(value, limit));
      const face = button ?? node;
      face.style.background = cssColour(colour);
      face.style.color = inkOn(colour);
      setText(number, texts[place]);
    });
    this.fillWeights();
  }

  fillWeights() {
    this.cells.forEach(({ button, badge, number }, place) => {
      if (!button) return;
      const weight = this.weights.get(place) ?? 0;
      button.setAttribute("aria-pressed", String(weight !== 0));
      setText(badge, weight ? `×${numberText(weight)}` : "");
      const [row, column] = [Math.floor(place / this.columns), place % this.columns];
      const name = `Row ${row}, column ${column}: ${number.textContent}, weight ${numberText(weight)}`;
      button.setAttribute("aria-label", name);
    });
    if (this.root.activeElement !== this.weight) this.showWeight();
  }

  // What counts; also in place of what is no number.
  showWeight() {
    this.weight.value = this.weights.get(this.active) ?? 0;
  }

  nameEditor() {
    const [row, column] = [Math.floor(this.active / this.columns), this.active % this.columns];
    setText(this.weightName, `Weight of row ${row}, column ${column}`);
  }

  reach(target) {
    if (!target || !this.cells[0].button) return;
    this.cells[this.active].button.tabIndex = -1;
    this.active = Number(target.dataset.place);
    this.cells[this.active].button.tabIndex = 0;
    this.nameEditor();
    this.fillWeights();
  }

  press(event) {
    const target = event.target.closest("button[data-place]");
    if (!target) return;
    this.reach(target);
    if (event.shiftKey) {
      this.weight.focus();
      this.weight.select();
      return;
    }
    if (!this.weights.delete(this.active)) this.weights.set(this.active, 1);
    this.fillWeights();
    this.sendLater();
  }

  walk(event) {
    const step = STEPS[event.key];
    const from = event.target.closest("button[data-place]");
    if (!step || !from) return;
    event.preventDefault();
    const row = Math.floor(this.active / this.columns) + step[0];
    const column = (this.active % this.columns) + step[1];
    if (row < 0 || row >= this.rows || column < 0 || column >= this.columns) return;
    this.cells[row * this.columns + column].button.focus();
  }

  write() {
    const weight = this.weight.valueAsNumber;
    if (!Number.isFinite(weight)) return;
    if (weight) this.weights.set(this.active, weight);
    else this.weights.delete(this.active);
    this.fillWeights();
    this.sendLater();
  }
}
