"use strict";
/* The views of a study's page. A voxel is a byte of grey and a byte of label; x runs to the patient's left, y to the
   back, z to the head, and every plane is cut from these two arrays. */
(() => {
  const byId = (id) => document.getElementById(id);
  const content = JSON.parse(byId("content").textContent);
  const [NX, NY, NZ] = content.size;
  const [MM_X, MM_Y, MM_Z] = content.mm;
  const SLICE = NX * NY;
  const grey = new Uint8Array(SLICE * NZ);
  const decoded = new Uint8Array(NZ);
  let labels = new Uint8Array(SLICE * NZ);

  const [x, y, z] = content.start;
  const state = { x, y, z, window: "lung", mask: true, opacity: 0.45, lungs: false };

  /* ---- grey levels and colours ---- */
  const hounsfield = Float32Array.from({ length: 256 }, (_, level) => {
    const { hu, level: at } = content.knots;
    const part = Math.max(0, at.findIndex((end, i) => i > 0 && level <= end) - 1);
    return hu[part] + ((level - at[part]) * (hu[part + 1] - hu[part])) / (at[part + 1] - at[part]);
  });
  const tables = Object.fromEntries(Object.entries(content.windows).map(([name, [low, high]]) =>
    [name, Uint8ClampedArray.from(hounsfield, (hu) => (255 * (hu - low)) / (high - low))]));
  const colours = [null, ...content.findings.map(({ colour }) =>
    [1, 3, 5].map((at) => parseInt(colour.slice(at, at + 2), 16)))];
  const OUTLINE = [86, 180, 233];

  /* ---- planes: a voxel's index by column and row, and what the axes are ---- */
  const planes = {
    axial: {
      axis: "z", across: "x", down: "y", columns: NX, rows: NY, mm: [MM_X, MM_Y], letters: ["R", "L", "A", "P"],
      start: () => state.z * SLICE, right: 1, below: NX, count: NZ, flip: false,
      name: () => `slice ${state.z + 1} of ${NZ}`,
    },
    coronal: {
      axis: "y", across: "x", down: "z", columns: NX, rows: NZ, mm: [MM_X, MM_Z], letters: ["R", "L", "H", "F"],
      start: () => (NZ - 1) * SLICE + state.y * NX, right: 1, below: -SLICE, count: NY, flip: true,
      name: () => `${state.y + 1} of ${NY}`,
    },
    sagittal: {
      axis: "x", across: "y", down: "z", columns: NY, rows: NZ, mm: [MM_Y, MM_Z], letters: ["A", "P", "H", "F"],
      start: () => (NZ - 1) * SLICE + state.x, right: NX, below: -SLICE, count: NX, flip: true,
      name: () => `${state.x + 1} of ${NX}`,
    },
  };

  const bitmapOf = (columns, rows) => {
    const canvas = Object.assign(document.createElement("canvas"), { width: columns, height: rows });
    const context = canvas.getContext("2d");
    return { canvas, context, pixels: context.createImageData(columns, rows) };
  };

  const views = [...document.querySelectorAll(".view")].map((figure) => {
    const plane = planes[figure.dataset.plane];
    const canvas = figure.querySelector("canvas");
    return {
      plane, canvas, context: canvas.getContext("2d"), caption: figure.querySelector("output"),
      image: bitmapOf(plane.columns, plane.rows), paint: bitmapOf(plane.columns, plane.rows),
    };
  });

  const fillImage = ({ plane, image }) => {
    const shade = tables[state.window];
    const out = new Uint32Array(image.pixels.data.buffer);
    let at = 0;
    for (let row = 0, first = plane.start(); row < plane.rows; row++, first += plane.below)
      for (let column = 0, voxel = first; column < plane.columns; column++, voxel += plane.right)
        out[at++] = 0xff000000 | (shade[grey[voxel]] * 0x010101);
    image.context.putImageData(image.pixels, 0, 0);
  };

  const fillPaint = ({ plane, paint }) => {
    const { columns, rows, right, below } = plane;
    const out = paint.pixels.data;
    out.fill(0);
    const inner = 255 * state.opacity, edge = Math.min(255, 255 * 2 * state.opacity);
    const set = (at, [r, g, b], alpha) => { out[at] = r; out[at + 1] = g; out[at + 2] = b; out[at + 3] = alpha; };
    for (let row = 0, first = plane.start(); row < rows; row++, first += below)
      for (let column = 0, voxel = first; column < columns; column++, voxel += right) {
        const label = labels[voxel];
        if (!label) continue;
        const around = [column ? voxel - right : -1, column < columns - 1 ? voxel + right : -1,
          row ? voxel - below : -1, row < rows - 1 ? voxel + below : -1];
        const at = 4 * (row * columns + column);
        const side = label >> content.sideBits;
        if (state.lungs && side && around.some((next) => next >= 0 && labels[next] >> content.sideBits !== side))
          set(at, OUTLINE, 210);
        const kind = label & 7;
        if (state.mask && kind)
          set(at, colours[kind], around.some((next) => next >= 0 && (labels[next] & 7) !== kind) ? edge : inner);
      }
    paint.context.putImageData(paint.pixels, 0, 0);
  };

  /* ---- drawing: true proportions, letters, scale, cross ---- */
  const placeOf = ({ plane, canvas }) => {
    const [width, height] = [plane.columns * plane.mm[0], plane.rows * plane.mm[1]];
    const scale = Math.min(canvas.width / width, canvas.height / height);
    return { scale, width: width * scale, height: height * scale,
      left: (canvas.width - width * scale) / 2, top: (canvas.height - height * scale) / 2 };
  };

  const crossAt = ({ plane }, place) => {
    const row = plane.flip ? plane.rows - 1 - state[plane.down] : state[plane.down];
    return [place.left + ((state[plane.across] + 0.5) * place.width) / plane.columns,
      place.top + ((row + 0.5) * place.height) / plane.rows];
  };

  const draw = (view) => {
    const { canvas, context, plane } = view;
    if (!canvas.width) return;
    const dot = devicePixelRatio || 1;
    const place = placeOf(view);
    context.fillStyle = "#000";
    context.fillRect(0, 0, canvas.width, canvas.height);
    context.imageSmoothingEnabled = true;
    context.imageSmoothingQuality = "high";
    context.drawImage(view.image.canvas, place.left, place.top, place.width, place.height);
    if (state.mask || state.lungs) {
      context.imageSmoothingEnabled = false;
      context.drawImage(view.paint.canvas, place.left, place.top, place.width, place.height);
    }
    drawCross(view, place, dot);
    drawLetters(view, place, dot);
    drawScale(view, place, dot);
    view.caption.textContent = plane.name();
  };

  const drawCross = ({ plane, context, ...view }, place, dot) => {
    const [across, down] = crossAt({ plane, ...view }, place);
    const gap = 11 * dot;
    context.strokeStyle = "rgba(140, 200, 255, .6)";
    context.lineWidth = dot;
    context.beginPath();
    for (const [from, to] of [[place.left, across - gap], [across + gap, place.left + place.width]])
      if (to > from) { context.moveTo(from, down); context.lineTo(to, down); }
    for (const [from, to] of [[place.top, down - gap], [down + gap, place.top + place.height]])
      if (to > from) { context.moveTo(across, from); context.lineTo(across, to); }
    context.stroke();
  };

  /* legible on black air and on white bone */
  const write = (context, text, across, down, dot) => {
    context.lineJoin = "round";
    context.lineWidth = 3.5 * dot;
    context.strokeStyle = "rgba(0, 0, 0, .8)";
    context.fillStyle = "#f2f5f8";
    context.strokeText(text, across, down);
    context.fillText(text, across, down);
  };

  const drawLetters = ({ plane, canvas, context }, place, dot) => {
    const inset = 12 * dot;
    context.font = `600 ${12.5 * dot}px system-ui, sans-serif`;
    context.textAlign = "center";
    context.textBaseline = "middle";
    const middle = [canvas.width / 2, canvas.height / 2];
    const [left, top] = [place.left + inset, place.top + inset];
    const at = [[left, middle[1]], [canvas.width - left, middle[1]], [middle[0], top], [middle[0], canvas.height - top]];
    plane.letters.forEach((letter, index) => write(context, letter, ...at[index], dot));
  };

  const drawScale = ({ canvas, context }, place, dot) => {
    context.font = `${11.5 * dot}px system-ui, sans-serif`;
    context.textBaseline = "alphabetic";
    const [end, base] = [canvas.width - 12 * dot, canvas.height - 12 * dot];
    context.textAlign = "right";
    if (!content.known) {
      write(context, "no scale: spacing unknown", end, base, dot);
      return;
    }
    const length = [200, 100, 50, 20, 10, 5].find((mm) => mm * place.scale <= canvas.width * 0.24) || 2;
    const start = end - length * place.scale;
    for (const [width, colour] of [[4.5, "rgba(0, 0, 0, .8)"], [1.5, "#f2f5f8"]]) {
      context.lineWidth = width * dot;
      context.strokeStyle = colour;
      context.beginPath();
      context.moveTo(start, base - 5 * dot);
      context.lineTo(start, base);
      context.lineTo(end, base);
      context.lineTo(end, base - 5 * dot);
      context.stroke();
    }
    context.textAlign = "center";
    write(context, `${length} mm`, (start + end) / 2, base - 7 * dot, dot);
  };

  let asked = 0;
  const refresh = () => {
    if (asked) return;
    asked = requestAnimationFrame(() => {
      asked = 0;
      views.forEach((view) => { fillImage(view); fillPaint(view); draw(view); });
      placeHere();
      tell(state);
    });
  };

  /* ---- what stands at a voxel ---- */
  const readout = byId("readout");
  let reading = "";
  const tell = ({ x, y, z }) => {
    const at = z * SLICE + y * NX + x;
    const hu = decoded[z] ? `about ${Math.round(hounsfield[grey[at]] / 5) * 5} HU`.replace("-", "−") : "";
    const kind = labels[at] & 7;
    const side = ["", "right lung", "left lung"][labels[at] >> content.sideBits] || "";
    readout.textContent = [`column ${x + 1}, row ${y + 1}, slice ${z + 1}`, hu, side,
      kind ? content.findings[kind - 1].name : "", reading].filter(Boolean).join("  ·  ");
  };

  const voxelUnder = (view, event) => {
    const box = view.canvas.getBoundingClientRect();
    const place = placeOf(view);
    const dot = view.canvas.width / box.width;
    const { plane } = view;
    const column = Math.floor((((event.clientX - box.left) * dot - place.left) / place.width) * plane.columns);
    const row = Math.floor((((event.clientY - box.top) * dot - place.top) / place.height) * plane.rows);
    if (column < 0 || row < 0 || column >= plane.columns || row >= plane.rows) return null;
    return { ...state, [plane.across]: column, [plane.down]: plane.flip ? plane.rows - 1 - row : row };
  };

  /* ---- moving ---- */
  const limits = { x: NX, y: NY, z: NZ };
  const move = (axis, to) => {
    const clipped = Math.max(0, Math.min(limits[axis] - 1, Math.round(to)));
    if (clipped === state[axis]) return;
    state[axis] = clipped;
    refresh();
  };
  const moveTo = (place) => {
    if (!place) return;
    ["x", "y", "z"].forEach((axis) => { state[axis] = place[axis]; });
    refresh();
  };

  views.forEach((view) => {
    const { canvas, plane } = view;
    let press = null;
    let turned = 0;
    canvas.addEventListener("pointerdown", (event) => {
      if (event.button !== 0) return;
      press = { left: event.clientX, top: event.clientY, from: state[plane.axis], dragged: false };
      canvas.setPointerCapture(event.pointerId);
      if (event.pointerType !== "touch") moveTo(voxelUnder(view, event));
    });
    canvas.addEventListener("pointermove", (event) => {
      if (!press) {
        const under = voxelUnder(view, event);
        if (under) tell(under);
      } else if (event.pointerType !== "touch") {
        moveTo(voxelUnder(view, event));
      } else {
        // a finger drawn to the side goes through the slices; up and down it scrolls the page
        const drawn = event.clientX - press.left;
        press.dragged ||= Math.abs(drawn) > 8;
        if (press.dragged) move(plane.axis, press.from + (drawn / canvas.clientWidth) * plane.count);
      }
    });
    canvas.addEventListener("pointerup", (event) => {
      if (press && event.pointerType === "touch" && !press.dragged) moveTo(voxelUnder(view, event));
      press = null;
    });
    canvas.addEventListener("pointercancel", () => { press = null; });
    canvas.addEventListener("pointerleave", () => tell(state));
    canvas.addEventListener("wheel", (event) => {
      if (event.ctrlKey) return;
      event.preventDefault();
      turned += event.deltaMode ? event.deltaY * 30 : event.deltaY;
      const steps = Math.trunc(turned / 30);
      turned -= steps * 30;
      // towards the feet, the back, the patient's left
      if (steps) move(plane.axis, state[plane.axis] + (plane.axis === "z" ? -steps : steps));
    }, { passive: false });
    new ResizeObserver(() => {
      const dot = devicePixelRatio || 1;
      const [width, height] = [Math.round(canvas.clientWidth * dot), Math.round(canvas.clientHeight * dot)];
      if (!width || (width === canvas.width && height === canvas.height)) return;
      Object.assign(canvas, { width, height });
      draw(view);
    }).observe(canvas);
  });

  /* ---- tools and keys ---- */
  const setMask = (on) => { state.mask = byId("mask").checked = on; refresh(); };
  const setLungs = (on) => { state.lungs = byId("lungs").checked = on; refresh(); };
  const setOpacity = (percent) => {
    const value = Math.max(0, Math.min(100, percent));
    byId("opacity").value = value;
    state.opacity = value / 100;
    refresh();
  };
  const setWindow = (name) => {
    state.window = name;
    document.querySelector(`input[name=window][value=${name}]`).checked = true;
    refresh();
  };
  byId("mask").addEventListener("change", (event) => setMask(event.target.checked));
  byId("lungs").addEventListener("change", (event) => setLungs(event.target.checked));
  byId("opacity").addEventListener("input", (event) => setOpacity(Number(event.target.value)));
  document.querySelectorAll("input[name=window]").forEach((input) =>
    input.addEventListener("change", () => setWindow(input.value)));

  const viewer = byId("viewer");
  const inSight = () => {
    const { top, bottom } = viewer.getBoundingClientRect();
    return Math.min(bottom, innerHeight) - Math.max(top, 0) > innerHeight / 3;
  };
  const STEPS = { ArrowUp: 1, ArrowRight: 1, ArrowDown: -1, ArrowLeft: -1, PageUp: 10, PageDown: -10, Home: -Infinity, End: Infinity };
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const focused = document.activeElement;
    const free = !focused || focused === document.body;
    if (!viewer.contains(focused) && !(free && inSight())) return;
    const letter = event.key.toLowerCase();
    if (letter === "m") setMask(!state.mask);
    else if (letter === "l") setLungs(!state.lungs);
    else if (letter === "w") setWindow(state.window === "lung" ? "soft" : "lung");
    else if (letter === "+" || letter === "=") setOpacity(100 * state.opacity + 10);
    else if (letter === "-" || letter === "−") setOpacity(100 * state.opacity - 10);
    else if (event.key in STEPS && focused.tagName !== "INPUT") {
      const axis = views.find(({ canvas }) => canvas === focused)?.plane.axis || "z";
      move(axis, state[axis] + STEPS[event.key]);
      event.preventDefault();
    }
  });

  /* ---- profile ---- */
  const slider = byId("slice");
  slider.max = NZ;
  slider.value = state.z + 1;
  slider.addEventListener("input", () => move("z", Number(slider.value) - 1));
  const along = (slice) => (NZ > 1 ? (100 * slice) / (NZ - 1) : 50);
  const placeHere = () => {
    slider.value = state.z + 1;
    slider.setAttribute("aria-valuetext", `slice ${state.z + 1} of ${NZ}`);
    document.querySelector(".here").style.left = `${along(state.z)}%`;
    const { areas, unit } = content.profile;
    const found = areas.map(({ finding, values }) => [content.findings[finding].name, values[state.z]]).filter(([, value]) => value >= 0.05);
    byId("where").textContent = [`slice ${state.z + 1} of ${NZ}`,
      ...found.map(([name, value]) => `${name} ${unit === "pixels" ? value : value.toFixed(1)} ${unit}`)].join("  ·  ");
  };

  const drawProfile = () => {
    const svg = document.querySelector(".track svg");
    svg.setAttribute("viewBox", `0 0 ${Math.max(1, NZ - 1)} 100`);
    const { areas, lungs, unit, planes: parts } = content.profile;
    const lesion = areas.filter(({ finding }) => finding < 3);
    const total = lungs.map((_, slice) => lesion.reduce((sum, { values }) => sum + values[slice], 0));
    const [most, mostLung] = [Math.max(...total), Math.max(...lungs, 1e-9)];
    const add = (attributes) => {
      const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
      Object.entries({ "vector-effect": "non-scaling-stroke", ...attributes }).forEach(([name, value]) => path.setAttribute(name, value));
      svg.append(path);
    };
    const line = (heights, from) => {
      const points = (NZ > 1 ? heights : [heights[0], heights[0]]).map((height, slice) => `${slice} ${100 - height}`);
      const back = (NZ > 1 ? from : [from[0], from[0]]).map((height, slice) => `${slice} ${100 - height}`).reverse();
      return `M${points.join("L")}L${back.join("L")}Z`;
    };
    const ground = lungs.map(() => 0);
    add({ d: line(lungs.map((area) => (94 * area) / mostLung), ground), fill: "#232a32", stroke: "#4c5763", "stroke-width": 1 });
    let below = ground;
    for (const { finding, values } of most ? lesion : []) {
      const top = below.map((height, slice) => height + (64 * values[slice]) / most);
      add({ d: line(top, below), fill: content.findings[finding].colour });
      below = top;
    }
    byId("peak").textContent = most ? `${unit === "pixels" ? most : most.toFixed(1)} ${unit}` : "none";
    const marks = document.querySelector(".marks");
    for (const [name, slice] of Object.entries(parts)) {
      const mark = document.createElement("i");
      mark.style.left = `${along(slice)}%`;
      mark.append(Object.assign(document.createElement("span"), { textContent: name }));
      marks.append(mark);
    }
  };

  /* ---- reading what the file holds ---- */
  const bytesOf = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));

  const readLabels = async () => {
    const packed = new Blob([bytesOf(byId("labels").textContent)]).stream();
    const buffer = await new Response(packed.pipeThrough(new DecompressionStream("gzip"))).arrayBuffer();
    labels = new Uint8Array(buffer);
    refresh();
  };

  const scratch = Object.assign(document.createElement("canvas"), { width: NX, height: NY })
    .getContext("2d", { willReadFrequently: true });
  const pixelsAreAltered = () => {
    scratch.fillStyle = "rgb(37, 37, 37)";
    scratch.fillRect(0, 0, NX, NY);
    return scratch.getImageData(0, 0, NX, NY).data.some((value, at) => value !== (at % 4 === 3 ? 255 : 37));
  };

  const readSlices = async () => {
    const texts = JSON.parse(byId("slices").textContent);
    byId("slices").textContent = "";
    const waiting = new Set(texts.keys());
    const nearest = () => {
      let best = -1;
      for (const slice of waiting) if (best < 0 || Math.abs(slice - state.z) < Math.abs(best - state.z)) best = slice;
      waiting.delete(best);
      return best;
    };
    let drawn = 0;
    const read = async () => {
      while (waiting.size) {
        const slice = nearest();
        const bitmap = await createImageBitmap(new Blob([bytesOf(texts[slice])], { type: "image/webp" }));
        scratch.drawImage(bitmap, 0, 0);
        const { data } = scratch.getImageData(0, 0, NX, NY);
        for (let at = 0, from = 0, to = slice * SLICE; at < SLICE; at++, from += 4) grey[to + at] = data[from];
        bitmap.close();
        decoded[slice] = 1;
        texts[slice] = null;
        const now = performance.now();
        if (slice === state.z || now - drawn > 150) {
          drawn = now;
          reading = `reading slices, ${NZ - waiting.size} of ${NZ}`;
          refresh();
        }
      }
    };
    await Promise.all([read(), read(), read(), read()]);
    reading = "";
    refresh();
  };

  const fail = (message) => {
    reading = message;
    document.documentElement.dataset.state = "failed";
    tell(state);
  };

  document.documentElement.dataset.state = "reading";
  drawProfile();
  refresh();
  if (!("DecompressionStream" in window)) fail("this browser is too old for the views: one of 2023 or later is needed");
  else if (pixelsAreAltered()) fail("this browser alters what pages read of pictures, against fingerprinting: allow it for this file to see the CT");
  else
    Promise.all([readLabels(), readSlices()]).then(
      () => { document.documentElement.dataset.state = "ready"; },
      (error) => fail(`the pictures cannot be read: ${error.message}`),
    );
})();
