// The explorer: draws numbers that its page holds as JSON, one mark for each language. It computes no statistic.
// Names are foreign text: they enter the page as text nodes only.
"use strict";
{
  const MEASURES = { difference: "difference from the baseline", score: "score" };
  const AXES = { distance: "distance to English", size: "pretraining text", script: "script", name: "name" };
  const HEIGHT = 360, LEFT = 44, RIGHT = 14, TOP = 30, SLOT = 15, FEW_TICKS = 6; // pixels, but for the last

  const number = (value) => value.toFixed(2).replace("-", "−");
  const signed = (value) => (value > 0 ? "+" : "") + number(value);
  const isolate = (text) => `\u2068${text}\u2069`; // a name keeps its direction to itself
  const format = (show, value) => (show === "difference" ? signed(value) : number(value));
  const withInterval = (show, [value, low, high]) => `${format(show, value)} [${format(show, low)}, ${format(show, high)}]`;
  const count = (amount, noun) => `${amount} ${noun}${amount === 1 ? "" : "s"}`;
  const size = (value) => value.toLocaleString("en");

  const fill = (node, attributes, children) => {
    for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
    node.append(...children);
    return node;
  };
  const html = (tag, attributes = {}, ...children) => fill(document.createElement(tag), attributes, children);
  const svg = (tag, attributes = {}, ...children) =>
    fill(document.createElementNS("http://www.w3.org/2000/svg", tag), attributes, children);

  // --- What is shown -------------------------------------------------------------------------------------------

  const find = (options, id) => options.find((option) => option.id === id) ?? options[0];

  // The view that a state asks for, with the first possible choice in place of an impossible one.
  const resolve = (data, state) => {
    const grid = find(data.grids, state.grid), target = find(grid.targets, state.target);
    const show = state.show !== "score" && target.rows.some((row) => row.difference) ? "difference" : "score";
    const row = find(target.rows.filter((option) => option[show]), state.row);
    const axis = state.axis in AXES ? state.axis : "distance";
    return { grid, target, show, row, axis, points: sortPoints(target, row, show, axis), language: state.language };
  };

  const sortPoints = (target, row, show, axis) => {
    const baseline = target.rows.find((option) => option.id === "none");
    const points = target.languages.map((language, index) => {
      const [value, low, high] = row[show].values[index];
      const scores = { score: row.score.values[index], baseline: baseline?.score.values[index] };
      return { ...language, ...scores, value, low, high, difference: row.difference?.values[index] };
    });
    const byName = (a, b) => a.name.localeCompare(b.name);
    const byDistance = (a, b) => a.distance - b.distance || byName(a, b);
    const orders = {
      distance: byDistance,
      size: (a, b) => a.size - b.size || byDistance(a, b),
      script: (a, b) => a.script.localeCompare(b.script) || byDistance(a, b),
      name: byName,
    };
    return points.sort(orders[axis]);
  };

  // The drawing in words: the extremes, and on which side of zero the intervals lie.
  const summarise = ({ grid, target, show, row, points }) => {
    const values = points.map((point) => point.value);
    const [least, most] = [Math.min(...values), Math.max(...values)].map((value) => {
      const names = points.filter((point) => point.value === value).map((point) => isolate(point.name));
      return `${format(show, value)} (${names.slice(0, 2).join(", ")}${names.length > 2 ? " and others" : ""})`;
    });
    const kind = show === "score" ? `score (${target.metric})` : `${MEASURES[show]}, in points (${target.metric}),`;
    const sentences = [
      `${grid.title}: ${kind} in ${count(points.length, "language")}, from ${least} to ${most}.`,
      `The 95 % intervals are over ${row[show].over}.`,
    ];
    if (show === "difference") {
      const above = points.filter((point) => point.low > 0).length;
      const below = points.filter((point) => point.high < 0).length;
      sentences.push(`They lie above zero in ${count(above, "language")}, below it in ${below}, and include it in ` +
        `${points.length - above - below}.`);
    }
    if (row[show].mean) sentences.push(`Mean without English, dashed: ${withInterval(show, row[show].mean)}.`);
    if (show === "score" && row.id !== "none" && points[0].baseline) {
      sentences.push("Short lines are the scores without intermediate task.");
    }
    if (row.same_data) sentences.push("The intermediate task is the target's own training set: this is no transfer.");
    return sentences.join(" ");
  };

  const describePoint = ({ show, target }, point) =>
    `${isolate(point.name)}, ${point.code}: ${MEASURES[show]} ` +
    `${withInterval(show, [point.value, point.low, point.high])}; distance ${number(point.distance)}, ` +
    `script ${isolate(point.script)}, ${size(point.size)} ${target.size}`;

  const COLUMNS = ["language", "name", "script", "distance", "pretraining", "n", "value", "low", "high"];
  const tabulate = ({ points }) => points.map((point) =>
    [point.code, point.name, point.script, point.distance, point.size, point.n, point.value, point.low, point.high]);

  const toCsv = (view) => {
    const quote = (cell) => (/[",\r\n]/.test(cell) ? `"${String(cell).replaceAll('"', '""')}"` : String(cell));
    const facts = [view.grid.id, view.target.id, view.row.id, view.show];
    const rows = tabulate(view).map((row) => [...facts, ...row]);
    const lines = [["grid", "target", "intermediate", "measure", ...COLUMNS], ...rows];
    return lines.map((row) => row.map(quote).join(",")).join("\n") + "\n";
  };

  // --- Where it is drawn ---------------------------------------------------------------------------------------

  const niceStep = (span, steps) => {
    const power = 10 ** Math.floor(Math.log10(span / steps));
    return power * [1, 2, 5, 10].find((factor) => factor * power >= span / steps);
  };
  const multiples = (step, low, high) => {
    const first = Math.ceil(low / step - 1e-9), last = Math.floor(high / step + 1e-9);
    return Array.from({ length: Math.max(last - first + 1, 0) }, (_, index) => (first + index) * step);
  };

  // The vertical scale covers all intervals; differences include zero.
  const scaleValues = ({ points, show, row }, bottom) => {
    const ends = [...points.flatMap((point) => [point.low, point.high]), ...(row[show].mean ?? []).slice(0, 1)];
    if (show === "difference") ends.push(0);
    else if (row.id !== "none") ends.push(...points.map((point) => point.baseline?.[0] ?? point.value));
    let [low, high] = [Math.min(...ends), Math.max(...ends)];
    const margin = (high - low || 1) * 0.06;
    [low, high] = [low - margin, high + margin];
    const step = niceStep(high - low, 5);
    const decimals = Math.max(0, -Math.floor(Math.log10(step)));
    const ticks = multiples(step, low, high).map((value) => [value, value.toFixed(decimals).replace("-", "−")]);
    return { y: (value) => TOP + ((high - value) / (high - low)) * (bottom - TOP), ticks };
  };

  // Horizontal places of languages by a number. Those with the same number stand side by side.
  const scaleNumbers = (points, axis, width) => {
    const numbers = [...new Set(points.map((point) => point[axis]))].sort((a, b) => a - b);
    const amounts = numbers.map((value) => points.filter((point) => point[axis] === value).length);
    const largest = Math.max(...amounts);
    const edge = (Math.min(26, (0.9 * width) / numbers.length / largest) * (largest - 1)) / 2 + 10;
    const positive = numbers.filter((value) => value > 0), [min, max] = [positive[0], positive.at(-1)];
    const unseen = axis === "size" && numbers[0] === 0 ? 0.25 : 0; // the room for zero, left of the logarithms
    const logarithm = (value) => (max > min ? Math.log(value / min) / Math.log(max / min) : 0.5);
    const share = {
      distance: (value) => (max ? value / max : 0),
      size: (value) => (value === 0 ? 0 : unseen + (1 - unseen) * logarithm(value)),
    }[axis];
    const place = (value) => LEFT + edge + share(value) * (width - 2 * edge);
    // Neighbouring groups do not overlap, if that leaves room for the members of one.
    const steps = numbers.slice(1).map((value, index) =>
      (place(value) - place(numbers[index])) / ((amounts[index] + amounts[index + 1]) / 2 + 0.4));
    const step = Math.max(6, Math.min(26, ...steps));
    const decades = () => [0, ...multiples(1, Math.log10(min), Math.log10(max)).map((power) => 10 ** power)];
    const many = axis === "size" ? decades : () => multiples(niceStep(max, 5), 0, max);
    const ticks = numbers.length <= FEW_TICKS ? numbers : many().filter((value) => value > 0 || numbers[0] === 0);
    const places = points.map((point) => {
      const same = points.filter((other) => other[axis] === point[axis]);
      return place(point[axis]) + (same.indexOf(point) - (same.length - 1) / 2) * step;
    });
    return { places, ticks: ticks.map((value) => [place(value), size(Number(value.toPrecision(3)))]) };
  };

  // Horizontal places of languages in slots: one tick a language, or one a script with a gap before the next.
  const scaleSlots = (points, axis, width) => {
    const groups = new Map();
    for (const point of points) {
      const key = point[axis === "name" ? "code" : "script"];
      groups.set(key, [...(groups.get(key) ?? []), point]);
    }
    const gap = axis === "name" ? 0 : 1;
    const slot = width / (points.length + gap * groups.size);
    const places = [], ticks = [];
    let next = LEFT + slot * (0.5 + gap / 2);
    for (const members of groups.values()) {
      ticks.push([next + (slot * (members.length - 1)) / 2, members[0][axis]]);
      for (const _ of members) { places.push(next); next += slot; }
      next += slot * gap;
    }
    return { places, ticks };
  };

  // --- Drawing -------------------------------------------------------------------------------------------------

  const drawTicks = (view, valueTicks, languageTicks, y, right, bottom, upright) => {
    const parts = valueTicks.flatMap(([value, label]) => [
      svg("line", { x1: LEFT, x2: right, y1: y(value), y2: y(value), class: "grid" }),
      svg("text", { x: LEFT - 6, y: y(value), dy: "0.32em", "text-anchor": "end" }, label),
    ]);
    for (const [x, label] of languageTicks) {
      const turned = { transform: `translate(${x + 4} ${bottom + 8}) rotate(-90)`, "text-anchor": "end" };
      parts.push(svg("line", { x1: x, x2: x, y1: bottom, y2: bottom + 4, class: "axis" }));
      parts.push(svg("text", upright ? { x, y: bottom + 18, "text-anchor": "middle" } : turned, label));
    }
    parts.push(svg("text", { x: 2, y: 12 }, view.show === "score" ? view.target.metric : "difference, points"));
    if (view.show === "difference") parts.push(svg("line", { x1: LEFT, x2: right, y1: y(0), y2: y(0), class: "zero" }));
    const mean = view.row[view.show].mean?.[0];
    if (mean !== undefined) parts.push(svg("line", { x1: LEFT, x2: right, y1: y(mean), y2: y(mean), class: "mean" }));
    return svg("g", { "aria-hidden": "true" }, ...parts);
  };

  // The code of a language above its interval, or below, or nowhere if other codes are in both places.
  const placeCode = (taken, point, x, y) => {
    const half = 3.4 * point.code.length, free = (top) => !taken.some(([other, width, height]) =>
      Math.abs(other - x) < half + width && Math.abs(height - top) < 11);
    const top = [y(point.high) - 5, y(point.low) + 13].find(free);
    if (top !== undefined) taken.push([x, half, top]);
    return svg("text", { x, y: top ?? y(point.high) - 5, "text-anchor": "middle", class: top ? "code" : "code hidden" },
      point.code);
  };

  const drawMark = (view, point, x, y, taken) => {
    const sign = view.show === "score" ? "plain" : point.value < 0 ? "loss" : "gain";
    const label = { role: "option", "aria-label": describePoint(view, point), "aria-selected": "false", tabindex: -1 };
    const mark = svg("g", { ...label, class: `language ${sign}${point.size === 0 ? " unseen" : ""}` });
    mark.append(svg("line", { x1: x, x2: x, y1: y(point.low), y2: y(point.high), class: "interval" }));
    if (view.show === "score" && view.row.id !== "none" && point.baseline) {
      const height = y(point.baseline[0]);
      mark.append(svg("line", { x1: x - 6, x2: x + 6, y1: height, y2: height, class: "baseline" }));
    }
    mark.append(svg("circle", { cx: x, cy: y(point.value), r: 5 }));
    if (view.axis !== "name") mark.append(placeCode(taken, point, x, y));
    return mark;
  };

  const draw = (view, available) => {
    const numeric = view.axis === "distance" || view.axis === "size";
    const slots = numeric ? 0 : SLOT * (view.points.length + new Set(view.points.map((point) => point.script)).size);
    const width = Math.max(available - LEFT - RIGHT, slots), right = LEFT + width;
    const { places, ticks } = (numeric ? scaleNumbers : scaleSlots)(view.points, view.axis, width);
    const widths = ticks.map(([, label]) => 6.6 * label.length);
    const upright = ticks.slice(1).every(([x], index) =>
      x - ticks[index][0] > (widths[index] + widths[index + 1]) / 2 + 6);
    const bottom = HEIGHT - (upright ? 42 : 34 + Math.min(Math.max(...widths), 120));
    const { y, ticks: valueTicks } = scaleValues(view, bottom);
    const unit = { distance: "", size: `, ${view.target.size}`, script: "", name: "" }[view.axis];
    const middle = LEFT + Math.min(width, available - LEFT) / 2;
    const title = { x: middle, y: HEIGHT - 4, "text-anchor": "middle", "aria-hidden": "true" };
    const taken = [];
    const marks = view.points.map((point, index) => drawMark(view, point, places[index], y, taken));
    const picture = svg("svg", {
      width: right + RIGHT, height: HEIGHT, role: "listbox", "aria-orientation": "horizontal",
      "aria-label": `Languages by ${AXES[view.axis]}`, "aria-describedby": "stilts-explorer-summary",
    }, drawTicks(view, valueTicks, ticks, y, right, bottom, upright), ...marks,
    svg("text", title, `${AXES[view.axis]}${unit}`));
    return { picture, marks, centres: view.points.map((point, index) => [places[index], y(point.value)]) };
  };

  // --- The page ------------------------------------------------------------------------------------------------

  const link = (address, ...content) => html("a", { href: address }, ...content);

  const describeChosen = (view, point) => {
    const { target, row } = view;
    if (!point) return [html("p", {}, "Point at a language, or move to it with the arrow keys, to see its numbers.")];
    const name = html("strong", { dir: "auto" }, point.name);
    const facts = [`script ${isolate(point.script)}`, `distance ${number(point.distance)}`,
      `${size(point.size)} ${target.size}`, count(point.n, "test item")];
    const numbers = [["score", "score", point.score]];
    if (point.difference) numbers.unshift(["difference", "difference", point.difference]);
    if (row.id !== "none" && point.baseline) numbers.push(["score", "baseline", point.baseline]);
    const links = row.links.flatMap((address, index) => [link(address, `run ${index + 1}`), " "]);
    const runs = links.length ? links : [`${count(row.runs, "run")}, recorded `];
    return [
      html("p", {}, point.page ? link(point.page, name) : name, ` (${point.code}): ${facts.join(", ")}`),
      html("dl", {}, ...numbers.map(([show, label, bounds]) =>
        html("div", {}, html("dt", {}, label), html("dd", {}, withInterval(show, bounds))))),
      html("p", {}, ...runs, "· ", link(target.page, `all rows of ${target.title}`)),
    ];
  };

  const buildTable = (view) => html("table", {},
    html("thead", {}, html("tr", {}, ...COLUMNS.map((name) => html("th", { scope: "col" }, name)))),
    html("tbody", {}, ...tabulate(view).map(([code, name, script, ...numbers]) => html("tr", {},
      html("th", { scope: "row" }, code), html("td", { dir: "auto" }, name), html("td", { dir: "auto" }, script),
      ...numbers.map((value) => html("td", {}, String(value).replace("-", "−")))))));

  const start = (root, data) => {
    let view, drawn, chosen, timer;
    const selects = {};
    const control = (key, label) => html("label", {}, label, (selects[key] = html("select", { name: key })));
    const controls = html("div", { class: "controls" }, control("grid", "Runs"), control("target", "Target task"),
      control("row", "Intermediate task"), control("show", "Show"), control("axis", "Order languages by"));
    const heading = html("p", { class: "heading" });
    const summary = html("p", { id: "stilts-explorer-summary", "aria-live": "polite" });
    const frame = html("div", { class: "frame" });
    const key = html("p", { class: "key" }, html("span", { class: "dot" }), " in the pretraining text ",
      html("span", { class: "dot unseen" }), " not in it");
    const panel = html("div", { class: "panel" });
    const button = html("button", { type: "button", class: "download" }, "Download these numbers (CSV)");
    const table = html("div", { class: "numbers", tabindex: 0, role: "region", "aria-label": "The numbers shown" });
    const details = html("details", {}, html("summary", {}, "These numbers as a table"), table);
    root.replaceChildren(controls, heading, summary, frame, key, panel, button, details);

    const remember = () => {
      clearTimeout(timer); // browsers refuse many changes of the address in a short time
      timer = setTimeout(() => {
        const { grid, target, row, show, axis } = view;
        const state = { grid: grid.id, target: target.id, row: row.id, show, axis };
        const language = view.points[chosen]?.code;
        history.replaceState(null, "", `#${new URLSearchParams(language ? { ...state, language } : state)}`);
      }, 250);
    };
    const choose = (index) => {
      chosen = index;
      drawn.marks.forEach((mark, other) => {
        mark.classList.toggle("chosen", other === index);
        mark.setAttribute("aria-selected", other === index);
        mark.setAttribute("tabindex", other === Math.max(index, 0) ? 0 : -1);
      });
      panel.replaceChildren(...describeChosen(view, view.points[index]));
    };
    const setOptions = (name, options, value) => {
      selects[name].replaceChildren(...options.map(({ id, title, off }) =>
        html("option", { value: id, ...(off ? { disabled: "" } : {}) }, title)));
      selects[name].value = value;
    };
    const redraw = () => {
      const focused = frame.contains(document.activeElement);
      drawn = draw(view, frame.clientWidth);
      frame.replaceChildren(drawn.picture);
      drawn.marks.forEach((mark, index) => mark.addEventListener("focus", () => { choose(index); remember(); }));
      choose(view.points.findIndex((point) => point.code === view.language));
      if (focused) drawn.marks[Math.max(chosen, 0)].focus();
    };
    const fillTable = () => table.replaceChildren(...(details.open ? [buildTable(view)] : []));
    const render = (state) => {
      view = resolve(data, state);
      const { grid, target, show, row, axis } = view;
      setOptions("grid", data.grids, grid.id);
      setOptions("target", grid.targets, target.id);
      setOptions("row", target.rows.map((option) => ({ ...option, off: !option[show] })), row.id);
      setOptions("show", Object.entries(MEASURES).map(([id, title]) =>
        ({ id, title, off: id === "difference" && !target.rows.some((option) => option.difference) })), show);
      setOptions("axis", Object.entries(AXES).map(([id, title]) => ({ id, title })), axis);
      heading.textContent = `${row.title} → ${target.title}`;
      summary.textContent = summarise(view);
      key.hidden = !view.points.some((point) => point.size === 0);
      fillTable();
      redraw();
    };
    const readAddress = () => Object.fromEntries(new URLSearchParams(location.hash.slice(1)));

    controls.addEventListener("change", () => {
      const state = Object.fromEntries(Object.entries(selects).map(([name, select]) => [name, select.value]));
      render({ ...state, language: view.points[chosen]?.code });
      remember();
    });
    frame.addEventListener("pointermove", (event) => {
      const box = drawn.picture.getBoundingClientRect();
      const [across, down] = [event.clientX - box.x, event.clientY - box.y];
      const distances = drawn.centres.map(([x, y]) => Math.hypot(across - x, (down - y) / 3));
      const nearest = distances.indexOf(Math.min(...distances));
      if (nearest !== chosen && distances[nearest] < 40) { choose(nearest); remember(); }
    });
    frame.addEventListener("keydown", (event) => {
      const steps = { ArrowLeft: -1, ArrowUp: -1, ArrowRight: 1, ArrowDown: 1, Home: -Infinity, End: Infinity };
      if (!(event.key in steps)) return;
      event.preventDefault();
      const last = drawn.marks.length - 1;
      drawn.marks[Math.min(Math.max(Math.max(chosen, 0) + steps[event.key], 0), last)].focus();
    });
    button.addEventListener("click", () => {
      const address = URL.createObjectURL(new Blob([toCsv(view)], { type: "text/csv" }));
      const name = [view.grid.id, view.target.id, view.row.id, view.show].join("-").replace(/[^\w+-]+/g, "-");
      html("a", { href: address, download: `${name}.csv` }).click();
      setTimeout(() => URL.revokeObjectURL(address), 1000);
    });
    details.addEventListener("toggle", fillTable);
    addEventListener("hashchange", () => render(readAddress()));
    let width = frame.clientWidth;
    new ResizeObserver(() => {
      if (frame.clientWidth === width) return;
      width = frame.clientWidth;
      view.language = view.points[chosen]?.code;
      redraw();
    }).observe(frame);
    render(readAddress());
  };

  start(document.getElementById("stilts-explorer"),
    JSON.parse(document.getElementById("stilts-explorer-data").textContent));
}
