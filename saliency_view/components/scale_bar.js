// A palette from end to end with its numbers: what the colours of a map mean.

function buildScale() {
  const strip = make("div", { class: "scale-strip" });
  const ends = [0, 1, 2].map(() => make("span"));
  const unit = make("p", { class: "scale-unit muted" });
  const node = make("div", { class: "scale" }, strip, make("div", { class: "scale-ruler" }, ...ends), unit);
  const fill = ({ limit, family, unit: text, arrays }) => {
    strip.style.background = paletteGradient(arrays.lut);
    const numbers = family === "diverging" ? [-limit, 0, limit] : [0, limit / 2, limit];
    ends.forEach((end, i) => setText(end, numberText(numbers[i])));
    setText(unit, text);
  };
  return { node, fill };
}
