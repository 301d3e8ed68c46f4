// What pointer, wheel, keys and controls do to a viewer.

const CURSOR_KEYS = {
  ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1],
  PageUp: [-10, 0], PageDown: [10, 0], Home: [0, -1e6], End: [0, 1e6],
};

function bindViewer(viewer) {
  bindControls(viewer);
  bindCompare(viewer);
  bindPointer(viewer);
  bindWheel(viewer);
  bindKeys(viewer);
}

function bindControls(viewer) {
  const { parts, view } = viewer;
  for (const name of ["opacity", "threshold"]) {
    parts[name].input.addEventListener("input", (event) => viewer.setLook(name, Number(event.target.value)));
    parts[name].input.addEventListener("change", () => viewer.sendLater[name]());
  }
  parts.backdrop.input.addEventListener("change", (event) => {
    viewer.setLook("backdrop", event.target.checked ? "grey" : "colour");
    viewer.sendLater.backdrop();
  });
  parts.palettes.addEventListener("change", (event) => {
    viewer.setLook("palette", event.target.value);
    viewer.sendLater.palette();
  });
  const zoom = (action) => () => {
    action();
    viewer.drawSoon();
  };
  parts.tools.in.addEventListener("click", zoom(() => view.zoom(1.5)));
  parts.tools.out.addEventListener("click", zoom(() => view.zoom(1 / 1.5)));
  parts.tools.fit.addEventListener("click", zoom(() => view.resetOrWidth()));
}

function bindCompare(viewer) {
  const { hold, bare, alone } = viewer.parts.tools;
  for (const [button, name] of [[bare, "photo"], [alone, "map"]]) {
    button.setAttribute("aria-pressed", "false");
    button.addEventListener("click", () => {
      viewer.only = viewer.only === name ? "" : name;
      bare.setAttribute("aria-pressed", String(viewer.only === "photo"));
      alone.setAttribute("aria-pressed", String(viewer.only === "map"));
      viewer.drawSoon();
    });
  }
  const set = (held) => () => {
    viewer.compare("button", held);
    hold.classList.toggle("down", held);
  };
  hold.addEventListener("pointerdown", set(true));
  for (const end of ["pointerup", "pointercancel", "pointerleave", "blur", "keyup"]) {
    hold.addEventListener(end, set(false));
  }
  hold.addEventListener("keydown", (event) => {
    if (event.key === " " || event.key === "Enter") set(true)();
  });
  hold.addEventListener("contextmenu", (event) => event.preventDefault());
}

function bindPointer(viewer) {
  const { canvas } = viewer.parts;
  const { view } = viewer;
  const down = new Map();
  let travelled = 0;
  const at = (event) => {
    const box = canvas.getBoundingClientRect();
    return { x: event.clientX - box.left, y: event.clientY - box.top };
  };
  const hover = (event) => {
    const { x, y } = at(event);
    viewer.pointer = view.pixelAt(x, y);
    viewer.cursor = null;
    viewer.read();
    viewer.drawSoon();
  };
  canvas.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    if (!down.size) travelled = 0;
    down.set(event.pointerId, at(event));
    if (down.size === 2) travelled = Infinity;
    canvas.setPointerCapture(event.pointerId);
  });
  canvas.addEventListener("pointermove", (event) => {
    const before = down.get(event.pointerId);
    if (!before) return hover(event);
    const now = at(event);
    travelled += Math.hypot(now.x - before.x, now.y - before.y);
    if (down.size === 2) pinch(view, [...down].find(([id]) => id !== event.pointerId)[1], before, now);
    else if (travelled > DRAG_FROM) view.pan(now.x - before.x, now.y - before.y);
    down.set(event.pointerId, now);
    return viewer.drawSoon();
  });
  canvas.addEventListener("pointerup", (event) => {
    if (!down.delete(event.pointerId) || travelled > DRAG_FROM) return;
    const { x, y } = at(event);
    const pixel = view.pixelAt(x, y);
    if (pixel) viewer.select(pixel);
  });
  canvas.addEventListener("pointercancel", (event) => down.delete(event.pointerId));
  canvas.addEventListener("pointerleave", () => {
    viewer.pointer = null;
    viewer.read();
  });
}

function pinch(view, fixed, before, now) {
  const gap = (point) => Math.max(1, Math.hypot(point.x - fixed.x, point.y - fixed.y));
  view.pan((now.x - before.x) / 2, (now.y - before.y) / 2);
  view.zoom(gap(now) / gap(before), (now.x + fixed.x) / 2, (now.y + fixed.y) / 2);
}

// The wheel belongs to the page until the picture has been clicked or Ctrl is held (a pinch says Ctrl).
function bindWheel(viewer) {
  const { canvas, hint } = viewer.parts;
  const hideHint = debounced(() => (hint.hidden = true), 1400);
  canvas.addEventListener(
    "wheel",
    (event) => {
      const meant = event.ctrlKey || event.metaKey;
      if (!meant && viewer.root.activeElement !== canvas) {
        hint.hidden = false;
        return hideHint();
      }
      if (!meant && viewer.view.isWhole && event.deltaY > 0) return undefined;
      event.preventDefault();
      const box = canvas.getBoundingClientRect();
      const step = event.deltaY * (event.deltaMode === 1 ? 16 : 1) * (event.ctrlKey ? 0.008 : 0.002);
      viewer.view.zoom(Math.exp(-step), event.clientX - box.left, event.clientY - box.top);
      return viewer.drawSoon();
    },
    { passive: false },
  );
}

function bindKeys(viewer) {
  const { node, canvas } = viewer.parts;
  const comparing = (event) => event.key.toLowerCase() === "c" && !event.ctrlKey && !event.metaKey;
  node.addEventListener("keydown", (event) => comparing(event) && viewer.compare("key", true));
  node.addEventListener("keyup", (event) => comparing(event) && viewer.compare("key", false));
  node.addEventListener("focusout", () => viewer.compare("key", false));
  canvas.addEventListener("blur", () => {
    viewer.cursor = null;
    viewer.read();
    viewer.drawSoon();
  });
  canvas.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || !pressed(viewer, event)) return;
    event.preventDefault();
    viewer.drawSoon();
  });
}

function pressed(viewer, event) {
  const { view } = viewer;
  const step = CURSOR_KEYS[event.key];
  if (step && event.shiftKey) view.pan((-Math.sign(step[1]) * view.width) / 8, (-Math.sign(step[0]) * view.height) / 8);
  else if (step) viewer.moveCursor(...step);
  else if (event.key === "Enter" || event.key === " ") selectCursor(viewer);
  else if (event.key === "Escape" && viewer.selected) viewer.select(null);
  else if (event.key === "+" || event.key === "=") zoomAtCursor(viewer, 1.25);
  else if (event.key === "-") zoomAtCursor(viewer, 1 / 1.25);
  else if (event.key === "0") view.resetOrWidth();
  else return false;
  return true;
}

function selectCursor(viewer) {
  const pixel = viewer.cursor ?? viewer.selected;
  if (pixel) viewer.select(pixel);
}

function zoomAtCursor({ view, cursor }, factor) {
  if (!cursor) return view.zoom(factor);
  const [row, column] = cursor;
  return view.zoom(factor, view.left + (column + 0.5) * view.scale, view.top + (row + 0.5) * view.scale);
}
