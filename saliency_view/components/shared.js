// Pieces that every component uses. Foreign text only ever becomes a text node.

const MINUS = "\u2212";
const SUPERSCRIPT = { "-": "⁻", 0: "⁰", 1: "¹", 2: "²", 3: "³", 4: "⁴", 5: "⁵", 6: "⁶", 7: "⁷", 8: "⁸", 9: "⁹" };

function trimmed(text) {
  return text.includes(".") ? text.replace(/\.?0+$/, "") : text;
}

// Three significant digits; the same text as number_text in numbers.py.
function numberText(value, signed = false) {
  if (!Number.isFinite(value)) return "not a number";
  if (value === 0) return "0";
  const size = Math.abs(value);
  const sign = value < 0 ? MINUS : signed ? "+" : "";
  if (size >= 1e4 || size < 1e-3) {
    const [mantissa, power] = size.toExponential(2).replace("+", "").split("e");
    return `${sign}${trimmed(mantissa)}·10${[...power].map((digit) => SUPERSCRIPT[digit]).join("")}`;
  }
  return sign + (size >= 100 ? size.toFixed(0) : trimmed(size.toPrecision(3)));
}

function percentText(share) {
  return `${Math.round(share * 100)} %`;
}

// make("button", { class: "quiet", text: "Fit", onclick: f, "aria-label": "..." }, ...children)
function make(tag, settings = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(settings)) {
    if (name === "text") node.textContent = value;
    else if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (value === true) node.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined) node.setAttribute(name, value);
  }
  node.append(...children);
  return node;
}

function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

// The other end of pack in payload.py.
function unpack(bytes) {
  const length = new DataView(bytes.buffer, bytes.byteOffset, 4).getUint32(0, true);
  const header = JSON.parse(new TextDecoder().decode(bytes.subarray(4, 4 + length)));
  const arrays = {};
  for (const { name, dtype, shape, start, size } of header.arrays) {
    const from = 4 + length + start;
    const raw = bytes.slice(from, from + size).buffer;
    arrays[name] = { shape, data: dtype === "float32" ? new Float32Array(raw) : new Uint8Array(raw) };
  }
  return { ...header, arrays };
}

// Streamlit calls a component again after every rerun and may call an outdated clean-up late:
// one object lives with each root, and only the clean-up of its newest call may end it.
function keepOnePerRoot(Kind) {
  const kept = new WeakMap();
  return (component) => {
    const root = component.parentElement;
    if (!kept.has(root)) kept.set(root, new Kind(root));
    const one = kept.get(root);
    one.turn = (one.turn ?? 0) + 1;
    const turn = one.turn;
    one.update(component);
    return () => {
      if (one.turn !== turn) return;
      one.close();
      kept.delete(root);
    };
  };
}

function debounced(action, wait) {
  let timer;
  const later = (...given) => {
    clearTimeout(timer);
    timer = setTimeout(() => action(...given), wait);
  };
  later.cancel = () => clearTimeout(timer);
  return later;
}
