// Pictures to choose from, as small images; a press picks one.

class Gallery {
  constructor(root) {
    this.list = make("ul", { class: "gallery" });
    this.node = make("section", { class: "part" }, this.list);
    root.append(this.node);
    this.urls = new Map();
  }

  close() {
    this.urls.forEach((url) => URL.revokeObjectURL(url));
    this.node.remove();
  }

  update({ data, setTriggerValue }) {
    if (!data) return;
    const { title, rows, selected, arrays } = unpack(data);
    this.node.setAttribute("aria-label", title);
    this.pick = (id) => {
      this.mark(id);
      setTriggerValue("picked", id);
    };
    const order = rows.map(({ id }) => id).join();
    if (order !== this.order) this.build(rows, arrays, order);
    this.mark(selected);
  }

  build(rows, arrays, order) {
    this.order = order;
    this.buttons = rows.map(({ id, title }, place) => {
      const button = make("button", { type: "button", class: "shot", title, onclick: () => this.pick(id) });
      button.dataset.id = id;
      button.append(make("img", { src: this.url(id, arrays[`png_${place}`].data), alt: title }));
      return button;
    });
    this.list.replaceChildren(...this.buttons.map((button) => make("li", {}, button)));
  }

  url(id, bytes) {
    if (!this.urls.has(id)) this.urls.set(id, URL.createObjectURL(new Blob([bytes], { type: "image/png" })));
    return this.urls.get(id);
  }

  mark(id) {
    for (const button of this.buttons) button.setAttribute("aria-pressed", String(button.dataset.id === id));
  }
}
