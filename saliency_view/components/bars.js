// Predictions as bars; a press on a bar asks for its explanation once.

const PHONE = 640; // pixels: narrower, and the map that a press changes is out of sight

class Bars {
  constructor(root) {
    this.title = make("p", { class: "heading" });
    this.unit = make("p", { class: "bars-unit muted" });
    this.list = make("ul", { class: "bars" });
    this.node = make("section", { class: "part" }, this.title, this.list, this.unit);
    root.append(this.node);
  }

  close() {
    this.node.remove();
  }

  update({ data, setTriggerValue }) {
    if (!data) return;
    this.pick = (index) => {
      this.mark(index);
      setTriggerValue("picked", index);
      if (window.innerWidth < PHONE) document.querySelector("h1")?.scrollIntoView({ behavior: "smooth" });
    };
    setText(this.title, data.title);
    setText(this.unit, data.unit);
    this.node.setAttribute("aria-label", data.title);
    const fresh = data.rows.map(({ index }) => index).join() !== this.order;
    if (fresh) this.build(data.rows);
    data.rows.forEach((row, place) => this.fill(this.buttons[place], row, data));
    this.mark(data.selected);
  }

  build(rows) {
    this.order = rows.map(({ index }) => index).join();
    this.buttons = rows.map(({ index }) => {
      const button = make("button", { type: "button", class: "bar-row", onclick: () => this.pick(index) });
      button.dataset.index = index;
      const parts = ["name", "text", "track"].map((name) => make("span", { class: `bar-${name}` }));
      parts[2].append(make("i", { class: "bar-fill" }));
      button.append(...parts);
      return button;
    });
    this.list.replaceChildren(...this.buttons.map((button) => make("li", {}, button)));
  }

  fill(button, { label, value, text }, { scale }) {
    const [name, number, track] = button.children;
    setText(name, label);
    setText(number, text);
    button.title = label;
    button.setAttribute("aria-label", `Explain ${label}, ${text}`);
    track.firstChild.style.width = `${100 * Math.min(1, Math.max(0, value / scale))}%`;
  }

  mark(index) {
    for (const button of this.buttons) {
      button.setAttribute("aria-pressed", String(Number(button.dataset.index) === index));
    }
  }
}
