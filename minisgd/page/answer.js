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
    const it = structuredClone(DATA.answer.spec);
    it.encoding.y.scale.domain = whole.checked ? [0, 1] : DATA.answer.ends;
    // In the whole range all dotted lines are one.
    if (whole.checked) it.layer.find(({ name }) => name === "names").data.values.splice(1);
    dress(it, DATA.answer.looks.filter(({ name }) => there.has(name)), host);
    it.description = "test accuracy against batch size, by method; the tables below give every value";
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
