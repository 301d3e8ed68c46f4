// The layers of a network in order of computation; a press on one asks for it once.

const HEADS = ["Layer", "Shape", "A unit sees"];

class Layers {
  constructor(root) {
    this.title = make("p", { class: "heading" });
    this.filter = make("input", { type: "search", class: "key layers-filter", placeholder: "Filter", "aria-label": "Filter the layers by name, operation or shape" });
    this.filter.addEventListener("input", () => this.sift());
    this.list = make("ul", { class: "layers" });
    this.none = make("p", { class: "muted layers-none", text: "No layer matches.", hidden: true });
    const names = HEADS.map((text) => make("span", { text }));
    const columns = make("div", { class: "layers-columns muted", "aria-hidden": "true" }, ...names);
    const head = make("div", { class: "layers-head" }, this.title, this.filter);
    this.scroll = make("div", { class: "layers-scroll" }, columns, this.list);
    this.node = make("section", { class: "part" }, head, this.scroll, this.none);
    this.list.addEventListener("keydown", (event) => this.walk(event));
    root.append(this.node);
  }

  close() {
    this.node.remove();
  }

  update({ data, setTriggerValue }) {
    if (!data) return;
    this.pick = (name) => {
      this.mark(name);
      setTriggerValue("picked", name);
    };
    setText(this.title, data.title);
    this.list.setAttribute("aria-label", data.title);
    const spelled = JSON.stringify(data.rows);
    const fresh = spelled !== this.spelled;
    this.spelled = spelled;
    if (fresh) this.build(data.rows);
    this.mark(data.selected);
    if (fresh) this.reveal();
  }

  build(rows) {
    this.buttons = rows.map((row, place) => {
      const name = make("span", { class: "layer-name" }, make("b", { text: row.name }), make("i", { class: "muted", text: row.step }));
      const glyph = make("i", { class: "layer-glyph", "aria-hidden": "true" }, make("i"));
      glyph.style.setProperty("--tall", row.tall);
      glyph.style.setProperty("--wide", row.wide);
      const sees = make("span", { class: "layer-sees" }, glyph, make("span", { text: row.sees }));
      const button = make("button", { type: "button", class: "layer", onclick: () => this.pick(row.name) });
      button.append(name, make("span", { class: "layer-shape", text: row.shape }), sees);
      button.title = `${row.name}: ${row.detail}`;
      button.dataset.name = row.name;
      button.dataset.text = `${place} ${row.name} ${row.step} ${row.shape} ${row.sees}`.toLowerCase();
      button.setAttribute("aria-label", `${row.name}, ${row.step}, shape ${row.shape}, a unit sees ${row.sees}`);
      return button;
    });
    this.list.replaceChildren(...this.buttons.map((button) => make("li", {}, button)));
    this.sift();
  }

  sift() {
    const words = this.filter.value.toLowerCase().split(/\s+/).filter(Boolean);
    let found = 0;
    for (const button of this.buttons) {
      const fits = words.every((word) => button.dataset.text.includes(word));
      button.parentNode.hidden = !fits;
      found += fits;
    }
    this.none.hidden = found > 0;
    this.scroll.hidden = !found;
  }

  walk(event) {
    const by = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    const from = event.target.closest("button");
    if (!by || !from) return;
    event.preventDefault();
    const shown = this.buttons.filter((button) => !button.parentNode.hidden);
    shown[shown.indexOf(from) + by]?.focus();
  }

  mark(selected) {
    for (const button of this.buttons) {
      button.setAttribute("aria-pressed", String(button.dataset.name === selected));
    }
  }

  reveal() {
    const item = this.list.querySelector("[aria-pressed=true]")?.parentNode;
    if (item) this.scroll.scrollTop = item.offsetTop - this.list.firstChild.offsetTop - 3 * item.offsetHeight;
  }
}
