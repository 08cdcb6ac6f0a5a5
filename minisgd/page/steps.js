// How many steps a batch needs, to an accuracy and in a unit of the reader's choice.
"use strict";

(() => {
  const host = byId("steps-chart");
  const choices = { target: byId("steps-target"), unit: byId("steps-unit") };
  const { targets, images, names, units } = DATA.steps;
  const FINE = 40; // points of a law
  const few = (value) => Number(value.toPrecision(3)).toLocaleString("en", { maximumSignificantDigits: 3 });

  // The law of a method between the sizes that it is fitted to.
  function lawOf({ look: { name }, points, law }, count) {
    if (!law) return [];
    const sizes = points.map(({ b }) => b), low = Math.min(...sizes), high = Math.max(...sizes);
    return Array.from({ length: FINE }, (_, k) => {
      const b = low * (high / low) ** (k / (FINE - 1));
      return { method: name, b, law: true, value: count(law.least * (1 + law.critical / b), b) };
    });
  }

  function pointsOf({ look: { name }, points }, count) {
    return points.map(({ b, steps, low, high, all, reached, rate, m }) => ({
      method: name, b, law: false, all, value: count(steps, b), low: count(low, b), high: count(high, b), tip: {
        method: name, "batch size": b.toLocaleString("en"), updates: few(steps),
        "least and largest": `${few(low)} to ${few(high)}`, epochs: few((steps * b) / images),
        "get there": reached, "rate η": rate, m } }));
  }

  function show() {
    const methods = targets[choices.target.value], unit = units[choices.unit.value];
    const count = unit === "epochs" ? (steps, b) => (steps * b) / images : (steps) => steps;
    const it = structuredClone(DATA.steps.spec);
    it.encoding.y.title = `${unit} to ${names[choices.target.value]}`;
    dress(it, methods.map(({ look }) => look), host);
    it.description = `${it.encoding.y.title} against the batch size, by method; the table below gives the ends`;
    const points = methods.flatMap((method) => [...lawOf(method, count), ...pointsOf(method, count)]);
    // The library warns of marks that there are none of.
    if (!points.some(({ law, all }) => !law && !all)) it.layer = it.layer.filter(({ name }) => name !== "hollow");
    draw(host, fitted(it, host, Math.round(Math.min(0.5 * innerHeight, 0.45 * widthOf(host) + 60))), points);
  }

  for (const [name, select] of Object.entries(choices)) {
    select.value = chosen.get(`steps-${name}`) ?? "0";
    if (select.selectedIndex < 0) select.value = "0";
    select.addEventListener("change", () => {
      remember(`steps-${name}`, select.value, "0");
      show();
    });
  }
  choices.unit.form.addEventListener("submit", (event) => event.preventDefault());
  redraws.set(host, show);
  show();
})();
