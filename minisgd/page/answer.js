// The answer: accuracy against the batch size, by method.
"use strict";

(() => {
  const host = byId("answer-chart");
  const whole = byId("answer-whole");
  const reported = byId("answer-reported");
  whole.checked = chosen.get("whole") === "1";
  reported.checked = chosen.get("reported") !== "";

  function show() {
    const points = DATA.answer.points.filter((point) => reported.checked || !point.faint);
    const there = new Set(points.map((point) => point.method));
    const methods = DATA.answer.methods.filter(([name]) => there.has(name));
    const names = methods.map(([name]) => name);
    const it = structuredClone(DATA.answer.spec);
    const faint = new Set(points.filter((point) => point.faint).map((point) => point.method));
    const place = (name) => names.filter((each) => faint.has(each)).indexOf(name);
    it.encoding.y.scale.domain = whole.checked ? [0, 1] : DATA.answer.ends;
    it.encoding.color.scale = { domain: names, range: methods.map(([, ...colour]) => ofScheme(colour)) };
    for (const channel of [it.encoding.color, ...it.layer.flatMap((layer) =>
      [layer.encoding?.strokeDash, layer.encoding?.shape]).filter(Boolean)])
      channel.legend.columns = columnsFor(names, host);
    for (const layer of it.layer) {
      const { strokeDash, shape } = layer.encoding ?? {};
      const dash = (name) => (faint.has(name) ? around(DASHES, 1 + place(name)) : DASHES[0]);
      if (strokeDash) strokeDash.scale = { domain: names, range: names.map(dash) };
      if (shape) shape.scale = { domain: names, range: names.map((_, k) => around(SHAPES, k)) };
    }
    it.description = "test accuracy against batch size, by method; the table below gives every value";
    draw(host, fitted(it, host, Math.round(Math.min(0.6 * innerHeight, 0.5 * widthOf(host) + 80))), points);
  }

  byId("answer-choices").addEventListener("submit", (event) => event.preventDefault());
  byId("answer-choices").addEventListener("change", () => {
    remember("whole", whole.checked ? "1" : "", "");
    remember("reported", reported.checked ? "1" : "", "1");
    show();
  });
  redraws.set(host, show);
  show();
})();
