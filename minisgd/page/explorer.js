// The explorer: how the chosen lines are drawn, and their values where the cursor stands.
"use strict";

const explorer = (() => {
  const { valueOf, matching } = choices;
  const host = byId("curves");
  const slider = byId("at");
  const TIPS_UP_TO = 4000; // points: each has a cell of its own, in which the pointer means it
  let view = null;
  let stops = [0];
  let shown = [];
  const unfolded = new Set(); // the rows whose settings are shown, while the table is made again

  // The batch size, the rate, the way and the place of a run as far as the lines differ in them, and
  // what else tells two lines apart that are alike in all of these. The rate is given by η.
  function label(lines) {
    const word = (line, name) => (name === "optimizer" ? method(line)
      : ["rule", "warmup"].includes(name) && line.values[name] === "none" ? "" : line.words[name] ?? "");
    const differing = (some, names) => names.filter((name) => new Set(some.map((line) => word(line, name))).size > 1);
    const name = (some, names) => {
      const those = differing(some, names);
      for (const line of some) line.label = [line.label, ...those.map((name) => word(line, name))].filter(Boolean).join(", ");
    };
    const alike = () => [...lines.reduce((found, line) =>
      found.set(line.label, [...(found.get(line.label) ?? []), line]), new Map()).values()];
    for (const line of lines) line.label = `b = ${line.size}, η = ${line.rate}`;
    name(lines, ["optimizer", "rule", "warmup", "network", "init", "dataset"]);
    for (const some of alike()) name(some, Object.keys(some[0].words).filter((name) => name !== "lr"));
    for (const some of alike()) some.slice(1).forEach((line, k) => { line.label += ` (${k + 2})`; });
  }

  // What the colour, the marker and the dash of a line stand for, in words.
  const method = (line) => line.values.optimizer;
  const size = (line) => line.size.toLocaleString("en");
  const rule = (line) => ["rule", "warmup"].filter((name) => line.values[name] !== "none")
    .map((name) => line.words[name]).join(", ");
  const byMethod = () => valueOf("colour") === "method";
  const hue = (line) => (byMethod() ? method(line) : size(line));
  const way = (line) => (byMethod() ? rule(line) || "no scaling, no warmup"
    : [method(line), rule(line)].filter(Boolean).join(": "));
  const settings = (line) => [line.settings, line.words.dataset].filter(Boolean).join(", ");
  const colour = (line) => (byMethod() ? DATA.explorer.methods[method(line)] : line.colour);

  const number = (value, metric) =>
    value === null || value === undefined ? "–" : metric.endsWith("loss") ? value.toPrecision(4) : value.toFixed(4);

  // The lowest and the highest are the quartiles from five seeds on.
  const between = (line) => (line.seeds.length >= 5 ? "quartiles" : "lowest and highest");

  function points(lines) {
    const metric = valueOf("metric");
    const updates = valueOf("by") === "update";
    const single = valueOf("show") === "seeds";
    const found = [];
    const logarithmic = valueOf("log") && metric.endsWith("loss");
    const good = (value) => value !== null && value !== undefined && !(logarithmic && value <= 0);
    for (const [order, line] of lines.entries()) {
      const x = (epoch) => (updates ? line.updates[epoch - 1] : epoch);
      const median = line.median[metric];
      const every = Math.ceil(median.length / 8);
      const when = (epoch) => ({ epoch, ...(line.updates ? { update: line.updates[epoch - 1] } : {}) });
      const what = DATA.explorer.metrics[metric];
      const stuckIn = new Set(line.seeds.flatMap((seed) => seed.stuck));
      const curves = single
        ? line.seeds.map((seed) => ({ name: `seed ${seed.seed}`, values: seed[metric], seed }))
        : [{ name: "", values: median }];
      for (const { name, values, seed } of curves) {
        values.forEach((value, k) => {
          if (!good(value)) return;
          const epoch = k + 1;
          const count = line.seeds.filter((each) => good(each[metric][k])).length;
          const tip = { run: line.label, ...when(epoch) };
          if (single) Object.assign(tip, { seed: seed.seed, [what]: number(value, metric) });
          else Object.assign(tip, { [`${what}, median`]: number(value, metric),
            [between(line)]: `${number(line.low[metric][k], metric)} to ${number(line.high[metric][k], metric)}`,
            seeds: count });
          tip.settings = settings(line);
          const stuck = (seed ? seed.stuck : [...stuckIn]).includes(epoch);
          if (stuck) tip.stuck = single ? "every test image is given one class"
            : `${line.seeds.filter((each) => each.stuck.includes(epoch)).length} of ${line.seeds.length} runs`;
          const ended = (seed ? [seed] : line.seeds).filter((each) => each.diverged &&
            each[metric].findLastIndex((each) => each !== null) === k).length;
          if (ended) tip.diverged = single ? "in the next epoch" : `${ended} of ${line.seeds.length} in the next epoch`;
          found.push({ hue: hue(line), size: size(line), way: way(line), line: line.label + name, x: x(epoch), y: value,
            low: single ? null : line.low[metric][k], high: single ? null : line.high[metric][k],
            mark: !single && (k - order) % every === 0, stuck, diverged: ended > 0, tip });
        });
      }
    }
    return found;
  }

  function spec(lines, drawn) {
    const metric = valueOf("metric");
    const loss = metric.endsWith("loss");
    const updates = valueOf("by") === "update";
    const it = structuredClone(DATA.explorer.spec);
    const all = drawn.flatMap((point) => [point.low ?? point.y, point.high ?? point.y]).filter((y) => !valueOf("log") || y > 0);
    const range = [valueOf("log") ? Math.min(...all) : 0, Math.max(...all)];
    it.encoding.x.title = updates ? "update" : "epoch";
    const alone = stops.length === 1; // then there is room on both sides
    const ends = [stops[0], stops[stops.length - 1]];
    if (updates) it.encoding.x.scale = { type: "log", nice: false, domain: alone ? [ends[0] / 2, ends[1] * 2] : ends };
    else it.encoding.x.scale = { zero: false, nice: false, domain: alone ? [ends[0] - 1, ends[1] + 1] : ends };
    it.encoding.x.axis = updates ? { format: "~s" } : { tickMinStep: 1, format: "d", ...(alone ? { values: stops } : {}) };
    it.encoding.y.title = DATA.explorer.metrics[metric];
    it.encoding.y.scale = loss
      ? { type: valueOf("log") ? "log" : "linear", domain: range, nice: false }
      : { domain: valueOf("zoom") ? [0.9, 1] : [0, 1] };
    it.params.find((param) => param.name === "thick").value = valueOf("show") === "seeds" ? 1.1 : 1.8;
    explain(it, lines);
    if (drawn.length > TIPS_UP_TO) it.layer.pop();
    byId("matching").textContent += drawn.length > TIPS_UP_TO ? "; too many to point at: choose fewer for that" : "";
    it.description = `${it.encoding.y.title} by ${it.encoding.x.title} of ${lines.length} settings; ` +
      "the table below gives the values at the cursor";
    return fitted(it, host, Math.round(Math.min(0.62 * innerHeight, 0.55 * widthOf(host) + 90)));
  }

  // The colours, markers and dashes, and a legend of each: not of the lines, which may be many.
  function explain(it, lines) {
    const channel = (name) => it.layer.map((layer) => layer.encoding?.[name]).find(Boolean);
    const set = (encoding, title, of, looks) => {
      const domain = [...new Map(lines.map((line) => [of(line), line]))];
      const names = domain.map(([name]) => name);
      encoding.scale = { domain: names, range: domain.map(([, line], k) => looks(line, k)) };
      const grey = style("--faint");
      const plain = encoding === it.encoding.color ? {} : { symbolFillColor: grey, symbolStrokeColor: grey };
      encoding.legend = { ...encoding.legend, title, titleLimit: 0, columns: columnsFor(names, host), ...plain };
    };
    const dashes = new Set(lines.map(way)).size;
    const recur = dashes > DASHES.length ? ", which recur: choose fewer" : "";
    const what = byMethod() ? "rule and warmup" : "method, rule and warmup";
    set(it.encoding.color, byMethod() ? "colour: method" : "batch size", hue, (line) => ofScheme(colour(line)));
    set(channel("shape"), byMethod() ? "marker: batch size" : "batch size", size, (line) => around(SHAPES, line.mark));
    set(channel("strokeDash"), `dash: ${what}${recur}`, way, (_, k) => around(DASHES, k));
    const dash = channel("strokeDash");
    dash.legend = dashes > 1 ? { ...dash.legend, symbolSize: 400 } : null; // long enough for a whole dash
  }

  // ---- the cursor and the table of the values there

  const unit = () => valueOf("by");

  // The last epoch of a line, from 0, that is over after so many updates; one too many if it has ended.
  const epochOf = (line, made) => (made > line.updates.at(-1) ? line.updates.length : line.updates.findLastIndex((n) => n <= made));

  function moveTo(place) {
    const at = stops[place] ?? stops[stops.length - 1];
    byId("at-unit").textContent = unit();
    byId("at-shown").textContent = at.toLocaleString("en");
    slider.setAttribute("aria-valuetext", `${unit()} ${at}`);
    view?.signal("cursor", at).runAsync();
    const metric = valueOf("metric");
    const rows = shown.map((line) => {
      const k = unit() === "update" ? epochOf(line, at) : at - 1;
      const count = line.seeds.filter((seed) => seed[metric][k] !== null && seed[metric][k] !== undefined).length;
      const gone = line.seeds.filter((seed) => seed.diverged && seed[metric].length <= k + 1).length;
      const stuck = line.seeds.filter((seed) => seed.stuck.includes(k + 1)).length;
      const state = [stuck && `${stuck} stuck`, gone && `${gone} diverged`].filter(Boolean).join(", ");
      const range = line.median[metric][k] === undefined || line.median[metric][k] === null ? "–"
        : `${number(line.low[metric][k], metric)} to ${number(line.high[metric][k], metric)}, ${between(line)}`;
      const first = make("td");
      const whole = make("details");
      const dot = make("span", "● ", { class: "dot", "aria-hidden": "true", style: `--light:${colour(line)[0]};--dark:${colour(line)[1]}` });
      const short = make("summary");
      short.append(dot, line.label);
      whole.append(short, make("div", settings(line), { class: "small" }));
      whole.open = unfolded.has(line.label);
      whole.addEventListener("toggle", () => unfolded[whole.open ? "add" : "delete"](line.label));
      first.append(whole);
      return [first, number(line.median[metric][k], metric), range, String(count), state || "–"];
    });
    const head = ["run", "median", "range", "seeds", "stuck or diverged"];
    byId("values").replaceChildren(tableOf(head, rows, `${DATA.explorer.metrics[metric]} at ${unit()} ${at}`));
  }

  function show() {
    const kept = stops[Number(slider.value)];
    const atEnd = Number(slider.value) >= stops.length - 1;
    shown = matching();
    label(shown);
    const by = unit() === "update";
    const all = new Set(shown.flatMap((line) => line.median.test_accuracy.map((_, k) => (by ? line.updates[k] : k + 1))));
    stops = [...all].sort((a, b) => a - b);
    if (!stops.length) stops = [1];
    slider.max = stops.length - 1;
    slider.disabled = stops.length === 1;
    const asked = chosen.get("at");
    const place = asked !== null ? stops.findLastIndex((stop) => stop <= Number(asked)) : stops.indexOf(kept);
    slider.value = atEnd && asked === null ? stops.length - 1 : Math.max(0, place);
    const runs = shown.reduce((sum, line) => sum + line.seeds.length, 0);
    byId("matching").textContent = shown.length
      ? `${runs} run${runs === 1 ? "" : "s"} of ${shown.length} setting${shown.length === 1 ? "" : "s"}`
      : "No run is like that: choose otherwise.";
    moveTo(Number(slider.value));
    if (!shown.length) {
      host.replaceChildren();
      view = null;
      return undefined;
    }
    const found = points(shown);
    return draw(host, spec(shown, found), found, (drawn) => {
      view = drawn;
      view.signal("cursor", stops[Number(slider.value)]).runAsync();
    });
  }

  function goTo(place) {
    slider.value = place;
    remember("at", String(stops[place]), place === stops.length - 1 ? String(stops[place]) : "");
    moveTo(place);
  }

  // The cursor goes back to the end.
  function forget() {
    slider.value = slider.max;
    remember("at", "", "");
  }

  // A click moves the cursor to the nearest stop, also where there are no cells to point at.
  host.addEventListener("click", ({ clientX, clientY }) => {
    const plot = host.querySelector(".role-frame .background")?.getBoundingClientRect();
    if (!view || clientX < plot.left || clientX > plot.right || clientY < plot.top || clientY > plot.bottom) return;
    const away = stops.map((stop) => Math.abs(plot.left + view.scale("x")(stop) - clientX));
    goTo(away.indexOf(Math.min(...away)));
  });
  slider.addEventListener("input", () => goTo(Number(slider.value)));
  choices.whenChosen((name) => {
    if (name === "reset" || name === "by") forget(); // an epoch is another update for every batch size
    show();
  });
  show();
  redraws.set(host, show);
  return { show };
})();
