// A run update by update: panels under one another, and one cursor through all of them.
"use strict";

(() => {
  const host = byId("curvature-chart");
  const which = byId("curvature-run");
  const slider = byId("curvature-at");
  let view = null;
  which.value = chosen.get("run") ?? "0";
  if (which.selectedIndex < 0) which.selectedIndex = 0;
  const rows = () => DATA.curvature.runs[Number(which.value)];

  function moveTo(place) {
    const row = rows()[place];
    slider.value = place;
    slider.setAttribute("aria-valuetext", `update ${row.update}`);
    byId("curvature-shown").textContent = row.update.toLocaleString("en");
    view?.signal("cursor", row.update).runAsync();
    const lines = Object.entries(DATA.curvature.read).map(([column, text]) =>
      [text, row[column] === null ? "–" : String(Number(row[column].toPrecision(4)))]);
    lines.push(["λ over what is stable", (row.eigenvalue / row.bound).toPrecision(3)]);
    byId("curvature-values").replaceChildren(tableOf(["at this update", "value"], lines, `values at update ${row.update}`));
  }

  function show() {
    const it = structuredClone(DATA.curvature.spec);
    const size = parseFloat(getComputedStyle(document.documentElement).fontSize);
    const width = widthOf(host) - 6 * size;
    for (const panel of it.vconcat) {
      panel.width = width;
      panel.height = Math.round(8 * size);
      for (const layer of panel.layer) {
        const { color, strokeDash } = layer.encoding ?? {};
        if (!color?.scale) continue;
        color.scale.range = color.scale.range.map(ofScheme);
        const columns = columnsFor(color.scale.domain, host);
        for (const channel of [color, strokeDash]) if (channel.legend) channel.legend.columns = columns;
      }
    }
    it.params.find((param) => param.name === "reach").value = Math.max(3, width / rows().length);
    it.description = "loss, curvature, length of the step and dead channels by update; the table below gives the values at the cursor";
    slider.max = rows().length - 1;
    moveTo(Math.min(Number(slider.value), rows().length - 1));
    draw(host, it, rows(), (drawn) => {
      view = drawn;
      moveTo(Number(slider.value));
      view.addEventListener("pointermove", (_, item) => {
        const place = rows().findIndex((row) => row.update === item?.datum?.update);
        if (place >= 0 && place !== Number(slider.value)) moveTo(place);
      });
    });
  }

  which.form.addEventListener("submit", (event) => event.preventDefault());
  which.addEventListener("change", () => { remember("run", which.value, "0"); show(); });
  slider.addEventListener("input", () => moveTo(Number(slider.value)));
  redraws.set(host, show);
  slider.max = rows().length - 1;
  slider.value = Math.floor((rows().length - 1) / 2);
  show();
})();
