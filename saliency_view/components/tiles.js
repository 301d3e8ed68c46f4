// The channels of a layer as small pictures; a press on one asks for it once.

const GAP = 5; // pixels between rows

class Tiles {
  constructor(root) {
    this.title = make("p", { class: "heading" });
    this.order = make("select", { class: "key", "aria-label": "Order of the channels" });
    this.order.append(make("option", { value: "number", text: "By number" }));
    this.order.append(make("option", { value: "peak", text: "Strongest first" }));
    this.order.addEventListener("change", () => this.arrange());
    this.list = make("ul", { class: "tiles" });
    this.scale = buildScale();
    const head = make("div", { class: "tiles-head" }, this.title, this.order);
    this.node = make("section", { class: "part" }, head, this.list, this.scale.node);
    this.list.addEventListener("click", (event) => this.press(event));
    root.append(this.node);
  }

  close() {
    this.node.remove();
  }

  update({ data, setTriggerValue }) {
    if (!data) return;
    const news = unpack(data);
    const fresh = news.key !== this.shown?.key || news.arrays.peaks.data.length !== this.tiles?.length;
    this.shown = news;
    this.pick = (place) => {
      this.mark(place);
      setTriggerValue("picked", place);
    };
    setText(this.title, news.title);
    this.list.setAttribute("aria-label", news.title);
    this.scale.fill(news);
    if (fresh) this.build();
    this.tiles.forEach((tile, place) => this.fill(tile, place));
    this.mark(news.selected);
    if (fresh) this.arrange();
  }

  build() {
    const [count, rows, columns] = this.shown.arrays.levels.shape;
    this.tiles = Array.from({ length: count }, (_, place) => {
      const canvas = make("canvas", { width: columns, height: rows, "aria-hidden": "true" });
      const button = make("button", { type: "button", class: "tile", "data-place": place }, canvas);
      button.append(make("span", { class: "tile-name", text: place }));
      return { canvas, button, item: make("li", {}, button) };
    });
    this.list.style.setProperty("--shape", columns / rows);
  }

  fill({ canvas, button }, place) {
    const { levels, lut, peaks } = this.shown.arrays;
    const [, rows, columns] = levels.shape;
    const picture = new ImageData(columns, rows);
    for (let at = 0; at < rows * columns; at++) {
      const from = 3 * levels.data[place * rows * columns + at];
      for (let i = 0; i < 3; i++) picture.data[4 * at + i] = lut.data[from + i];
      picture.data[4 * at + 3] = 255;
    }
    canvas.getContext("2d").putImageData(picture, 0, 0);
    const name = `Channel ${place}, largest value ${numberText(peaks.data[place])}`;
    button.title = name;
    button.setAttribute("aria-label", name);
  }

  arrange() {
    const peaks = this.shown.arrays.peaks.data;
    const places = [...this.tiles.keys()];
    if (this.order.value === "peak") places.sort((one, other) => peaks[other] - peaks[one] || one - other);
    this.list.replaceChildren(...places.map((place) => this.tiles[place].item));
    this.reveal();
  }

  reveal() {
    const { item } = this.tiles[this.selected] ?? {};
    const above = this.list.firstChild;
    if (item) this.list.scrollTop = item.offsetTop - above.offsetTop - 2 * (item.offsetHeight + GAP);
  }

  press(event) {
    const target = event.target.closest("[data-place]");
    if (target) this.pick(Number(target.dataset.place));
  }

  mark(selected) {
    this.selected = selected;
    this.tiles.forEach(({ button }, place) => button.setAttribute("aria-pressed", String(place === selected)));
  }
}
