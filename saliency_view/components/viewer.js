// The image viewer: a photo with a saliency map over it. Needs shared, colour, view, viewer_parts, viewer_paint.

const SEND_AFTER = 250;
const DRAG_FROM = 5;
const LINES = 4;
const KEEP = 4;
const KEPT = new Map();
const CHANNEL_NAMES = { 3: ["R", "G", "B"] };

function named(texts) {
  return texts.map((text, i) => `${(CHANNEL_NAMES[texts.length] ?? [])[i] ?? i + 1}\u00a0${text}`);
}

function channelLines(texts) {
  return named(texts).join(texts.length > LINES ? "   " : "\n");
}

class Viewer {
  constructor(root) {
    this.root = root;
    this.view = new View();
    this.parts = buildViewer(root);
    this.look = {};
    this.selected = this.cursor = this.pointer = null;
    this.only = ""; // "photo", "map", or both
    this.holding = new Set();
    const sender = (name) => debounced(() => this.send(name, this.look[name]), SEND_AFTER);
    this.sendLater = { opacity: sender("opacity"), threshold: sender("threshold"), palette: sender("palette"), backdrop: sender("backdrop") };
    this.announce = debounced((text) => setText(this.parts.live, text), 250);
    this.watch = new ResizeObserver(() => this.fitStage());
    this.watch.observe(this.parts.stage);
    bindViewer(this);
  }

  close() {
    this.watch.disconnect();
    for (const later of [this.announce, ...Object.values(this.sendLater)]) later.cancel();
    this.parts.node.remove();
  }

  // What the page says now. The visitor's own settings stay unless the page overruled them.
  update({ data, setStateValue }) {
    if (!data) return;
    const news = this.withArrays(unpack(data));
    this.parts.node.toggleAttribute("data-busy", news.busy);
    this.parts.stage.setAttribute("aria-busy", String(news.busy));
    if (!news.arrays) return;
    const { key, revision } = this.shown ?? {};
    const overruled = news.key !== key || news.revision !== revision;
    const newPhoto = news.photo_digest !== this.shown?.photo_digest;
    this.shown = news;
    this.send = (name, value) => setStateValue(name, { revision: news.revision, value });
    if (overruled) {
      this.look = { ...news.look };
      this.selected = news.pixel;
    }
    if (newPhoto) this.takePhoto();
    this.fillTexts();
    this.fillPalettes();
    this.takeLook();
  }

  // A message sent while busy leaves out arrays that are already here.
  withArrays(news) {
    const arrays = news.arrays.photo ? news.arrays : KEPT.get(news.digest);
    if (arrays) {
      KEPT.delete(news.digest);
      KEPT.set(news.digest, arrays);
    }
    for (const old of [...KEPT.keys()].slice(0, -KEEP)) KEPT.delete(old);
    return { ...news, arrays };
  }

  takePhoto() {
    const [rows, columns] = this.shown.arrays.photo.shape;
    this.parts.grid.style.setProperty("--ratio", columns / rows);
    this.view.setPicture(rows, columns);
    this.view.reset();
    this.cursor = this.pointer = null;
    this.photo = asCanvas(photoPicture(this.shown.arrays.photo, false), this.photo);
    this.parts.backdrop.node.hidden = this.shown.arrays.photo.shape[2] !== 3;
    this.fitStage();
  }

  fillTexts() {
    const { title, note, units, quantity, limit, family } = this.shown;
    const { parts } = this;
    const [rows, columns] = this.shown.arrays.photo.shape;
    setText(parts.title, title);
    setText(parts.note, note ?? "");
    setText(parts.bar.unit, units);
    setText(parts.bar.beyond, this.shown.beyond ?? "");
    this.shown.ends.forEach((text, i) => setText(parts.bar.words[i], text));
    setText(parts.readout.unit, units);
    setText(parts.readout.lines.value.name, quantity);
    const ends = family === "diverging" ? [-limit, 0, limit] : [0, limit / 2, limit];
    ends.forEach((end, i) => setText(parts.bar.ends[i], this.valueText(end)));
    parts.node.setAttribute("aria-label", title);
    parts.canvas.setAttribute(
      "aria-label",
      `${title}: map over a picture of ${rows} rows and ${columns} columns. Arrow keys move the reading ` +
        "point, Enter selects the pixel, Escape clears it, plus and minus zoom, Shift with arrows pans, " +
        "0 fits, hold C to see the photo alone.",
    );
    const channels = this.shown.arrays.channels?.shape[2] ?? 0;
    const line = parts.readout.lines.channels;
    for (const node of line.nodes) node.hidden = channels < 2;
    line.value.style.setProperty("--lines", channels > LINES ? Math.ceil(channels / 2) : channels);
  }

  fillPalettes() {
    const { palettes, key } = this.shown;
    const spelled = JSON.stringify(palettes);
    if (this.palettesShown !== spelled) {
      this.palettesShown = spelled;
      const choices = palettes.map(({ id, title }, i) => {
        const input = make("input", { type: "radio", name: `palette-${key}`, value: id, class: "unseen" });
        const strip = make("span", { class: "palette-strip" });
        const name = make("span", { class: "palette-name", text: title.split(":")[0] });
        strip.style.background = paletteGradient(this.shown.arrays[`lut_${i}`]);
        return make("label", { class: "palette", title }, input, strip, name);
      });
      this.parts.palettes.replaceChildren(...choices);
    }
  }

  get lut() {
    const place = this.shown.palettes.findIndex(({ id }) => id === this.look.palette);
    return this.shown.arrays[`lut_${place}`];
  }

  // Colours from numbers again; never asks the server.
  takeLook() {
    const { parts, look, shown } = this;
    for (const name of ["opacity", "threshold"]) {
      const { input, output } = parts[name];
      if (Number(input.value) !== look[name]) input.value = look[name];
      input.style.setProperty("--fill", `${100 * look[name]}%`);
      const hides = name === "threshold" && look.threshold > 0 && shown.limit > 0;
      const text = hides ? `below ${numberText(look.threshold * shown.limit)}` : percentText(look[name]);
      setText(output, text);
      input.setAttribute("aria-valuetext", text);
    }
    for (const input of parts.palettes.querySelectorAll("input")) input.checked = input.value === look.palette;
    parts.backdrop.input.checked = look.backdrop === "grey";
    this.picture = composed(shown, this.lut, look);
    this.overlay = asCanvas(this.picture, this.overlay);
    this.plain = mapPicture(shown, this.lut, look);
    this.map = asCanvas(this.plain, this.map);
    paintBar(parts.bar.canvas, this.lut, shown.family, look.threshold);
    this.draw();
    this.read();
  }

  setLook(name, value) {
    this.look[name] = value;
    this.lookFrame ??= requestAnimationFrame(() => {
      this.lookFrame = undefined;
      this.takeLook();
    });
  }

  fitStage() {
    const { stage, canvas } = this.parts;
    const { clientWidth: width, clientHeight: height } = stage;
    if (!width || !height || !this.shown) return;
    const density = window.devicePixelRatio || 1;
    this.density = density;
    this.font = getComputedStyle(this.parts.node).fontFamily;
    this.view.setStage(width, height);
    canvas.width = Math.round(width * density);
    canvas.height = Math.round(height * density);
    this.draw();
  }

  drawSoon() {
    this.frame ??= requestAnimationFrame(() => {
      this.frame = undefined;
      this.draw();
    });
  }

  draw() {
    const { view, parts, shown } = this;
    if (!this.overlay || !this.density) return;
    const only = this.holding.size > 0 ? "photo" : this.only;
    const bare = only === "photo";
    const marks = [];
    if (this.selected) marks.push([this.selected, true]);
    if (this.cursor && this.root.activeElement === parts.canvas) marks.push([this.cursor, false]);
    paintStage(parts.canvas, view, this.density, { photo: this.photo, map: this.map }[only] ?? this.overlay, {
      bare,
      marks,
      box: shown.box,
      font: this.font,
      textAt: (row, column) => this.valueText(valueAt(shown, row, column)),
      colourAt: (row, column) => colourIn(only ? this.plain : this.picture, row, column),
    });
    parts.badge.hidden = !only;
    setText(parts.badge, bare ? "Photo only" : "Map only");
    parts.canvas.classList.toggle("zoomed", !view.isWhole);
    setText(parts.tools.size, `${view.scale.toFixed(view.scale < 10 ? 1 : 0)}×`);
    parts.tools.out.disabled = view.isWhole;
    parts.tools.in.disabled = view.scale >= view.largest * 0.999;
  }

  // The numbers under the pointer, else under the keyboard's reading point, else of the selected pixel.
  read() {
    const { lines, where } = this.parts.readout;
    const pixel = this.pointer ?? this.cursor ?? this.selected;
    const marker = this.parts.bar.marker;
    const source = this.pointer ? "Under the pointer" : this.cursor ? "Reading point" : "Selected pixel";
    setText(where, pixel ? source : "Point at a pixel to read its numbers");
    marker.hidden = !pixel;
    for (const { chip } of Object.values(lines)) chip.style.background = "none";
    if (!pixel) {
      for (const { value } of Object.values(lines)) setText(value, "–");
      setText(lines.channels.value, channelLines(Array(this.shown.arrays.channels?.shape[2] ?? 0).fill("–")));
      return "";
    }
    const { family, limit, units, quantity } = this.shown;
    const value = valueAt(this.shown, ...pixel);
    const place = shareOf(value, limit);
    const texts = this.pixelTexts(pixel, value);
    for (const [name, text] of Object.entries(texts)) setText(lines[name].value, text);
    lines.photo.chip.style.background = cssColour(photoColour(this.shown.arrays.photo, ...pixel));
    lines.value.chip.style.background = cssColour(paletteColour(this.lut, family, place));
    marker.style.left = `${family === "diverging" ? 50 + 50 * place : 100 * Math.max(0, place)}%`;
    return `${texts.pixel}. Photo ${texts.photo}. ${quantity} ${texts.value} ${units}. ${texts.channels}`;
  }

  // A map of sizes of negative numbers gets its minus back in words.
  valueText(value) {
    const { family, negated } = this.shown;
    return numberText(negated ? -value : value, family === "diverging");
  }

  pixelTexts([row, column], value) {
    const { photo, channels } = this.shown.arrays;
    const spread = channels ? pixelOf(channels, row, column).map((number) => numberText(number, true)) : [];
    const colours = pixelOf(photo, row, column).map(String);
    return {
      pixel: `row ${row}, column ${column}`,
      photo: colours.length === 1 ? `gray ${colours[0]}` : named(colours).join("   "),
      value: this.valueText(value) + (isFaint(this.shown, row, column) ? " (not told from noise)" : ""),
      channels: spread.length > 1 ? channelLines(spread) : "",
    };
  }

  select(pixel) {
    this.selected = pixel;
    this.send("pixel", pixel);
    this.drawSoon();
    const text = this.read();
    this.announce(pixel ? `Selected ${text}` : "Selection cleared");
  }

  moveCursor(rows, columns) {
    const { view } = this;
    const middle = () => view.pixelAt(view.width / 2, view.height / 2);
    const [row, column] = this.cursor ?? this.selected ?? middle() ?? [0, 0];
    const clamp = (place, count) => Math.min(Math.max(place, 0), count - 1);
    this.cursor = [clamp(row + rows, view.rows), clamp(column + columns, view.columns)];
    this.pointer = null;
    view.show(this.cursor);
    this.drawSoon();
    this.announce(this.read());
  }

  // The photo alone for as long as anything, a key or the button, holds it.
  compare(by, held) {
    if (held) this.holding.add(by);
    else this.holding.delete(by);
    this.drawSoon();
  }
}
