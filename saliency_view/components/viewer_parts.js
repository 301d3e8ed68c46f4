// What the viewer is made of: nodes by name, no behaviour.

function slider(name, label) {
  const input = make("input", { type: "range", min: 0, max: 1, step: 0.01, "aria-label": label, "data-name": name });
  const output = make("output", { class: "muted", "data-output": name });
  const head = make("span", { class: "slider-head" }, make("span", { text: label }), output);
  return { input, output, node: make("label", { class: "slider" }, head, input) };
}

function tick(name, label) {
  const input = make("input", { type: "checkbox", "data-name": name });
  return { input, node: make("label", { class: "tick" }, input, make("span", { text: label })) };
}

function readoutLine(label, field) {
  const name = make("dt", { class: "muted", text: label });
  const chip = make("i", { class: "chip", "aria-hidden": "true" });
  const value = make("span", { "data-field": field });
  return { name, chip, value, nodes: [name, make("dd", {}, chip, value)] };
}

function buildReadout() {
  const where = make("p", { class: "readout-title muted" });
  const lines = {
    pixel: readoutLine("Pixel", "pixel"),
    photo: readoutLine("Photo", "photo"),
    value: readoutLine("Gradient", "value"),
    channels: readoutLine("By channel", "channels"),
  };
  const unit = make("span", { class: "readout-unit muted" });
  lines.value.value.after(unit);
  const list = make("dl", {}, ...Object.values(lines).flatMap((line) => line.nodes));
  return { where, lines, unit, node: make("div", { class: "readout" }, where, list) };
}

function buildBar() {
  const canvas = make("canvas", { class: "bar", height: 1, "aria-hidden": "true" });
  const marker = make("i", { class: "bar-marker", hidden: true, "aria-hidden": "true" });
  const ends = [0, 1, 2].map(() => make("span"));
  const unit = make("p", { class: "bar-unit muted" });
  const words = [0, 1].map(() => make("span"));
  const meaning = make("div", { class: "bar-words muted" }, ...words);
  const beyond = make("p", { class: "bar-beyond muted" });
  const ruler = make("div", { class: "bar-ruler" }, ...ends);
  const strip = make("div", { class: "bar-strip" }, canvas, marker);
  const node = make("div", { class: "bar-box" }, strip, ruler, meaning, unit, beyond);
  return { canvas, marker, ends, words, unit, beyond, node };
}

function buildTools() {
  const key = (text, label, name) =>
    make("button", { type: "button", class: "key", text, "aria-label": label, title: label, "data-tool": name });
  const tools = {
    hold: key("Hold to compare", "Hold to see the photo alone (C)", "hold"),
    bare: key("Photo only", "Show the photo alone", "bare"),
    alone: key("Map only", "Show the map alone, in the colours of the scale", "alone"),
    out: key(MINUS, "Zoom out (−)", "out"),
    in: key("+", "Zoom in (+)", "in"),
    fit: key("Fit", "Fit the picture to the frame (0)", "fit"),
  };
  tools.size = make("span", { class: "zoom-size muted", "aria-hidden": "true" });
  tools.node = make(
    "div",
    { class: "tools", role: "group", "aria-label": "Picture tools" },
    tools.hold,
    tools.bare,
    tools.alone,
    make("span", { class: "zoom" }, tools.out, tools.size, tools.in, tools.fit),
  );
  return tools;
}

function buildViewer(root) {
  const canvas = make("canvas", { class: "canvas", tabindex: 0, role: "application" });
  const badge = make("span", { class: "badge", hidden: true });
  const hint = make("span", { class: "hint", text: "Ctrl + scroll zooms; or click the picture first", hidden: true });
  const progress = make("span", { class: "progress", "aria-hidden": "true" });
  const stage = make("div", { class: "stage" }, canvas, badge, hint, progress);
  const parts = {
    canvas, badge, hint, stage,
    title: make("p", { class: "heading" }),
    note: make("p", { class: "note" }),
    live: make("p", { class: "unseen", "aria-live": "polite" }),
    tools: buildTools(),
    readout: buildReadout(),
    bar: buildBar(),
    opacity: slider("opacity", "Opacity of the map"),
    threshold: slider("threshold", "Hide the weakest"),
    backdrop: tick("backdrop", "Photo in grey under the map"),
    palettes: make("div", { class: "palettes", role: "radiogroup", "aria-label": "Palette" }),
  };
  const figure = make("div", { class: "figure" }, parts.title, parts.note, stage, parts.tools.node, parts.live);
  const panel = make(
    "div",
    { class: "panel" },
    parts.readout.node,
    parts.bar.node,
    parts.opacity.node,
    parts.threshold.node,
    parts.backdrop.node,
    parts.palettes,
  );
  parts.grid = make("div", { class: "viewer-grid" }, figure, panel);
  parts.node = make("section", { class: "part viewer" }, parts.grid);
  root.append(parts.node);
  return parts;
}
