// Does the answer carry over: what every way loses in a place, in panels on one scale.
"use strict";

(() => {
  const host = byId("places-chart");
  const which = byId("places-place");
  const { spec, places } = DATA.places;
  const NARROWEST = 330; // a panel that stands beside others
  which.value = chosen.get("place") ?? "";
  if (which.selectedIndex < 0) which.selectedIndex = 0;

  function panelOf(place, k, width, height, beside) {
    const it = structuredClone(spec);
    delete it.data;
    Object.assign(it, { width, height, transform: [{ filter: `datum.panel === ${k}` }] });
    it.title = { text: place.titles[k], anchor: "middle", color: "ink", fontWeight: "normal", fontSize: 12.5 };
    it.encoding.x.axis.values = place.sizes;
    it.encoding.y.title = place.y;
    if (beside && k) Object.assign(it.encoding.y, { title: null, axis: { ...it.encoding.y.axis, labelExpr: "' '" } });
    for (const [param] of it.layer.map(({ params }) => params).filter(Boolean)) param.name += k;
    dress(it, place.looks, host);
    return it;
  }

  function show() {
    const place = places[which.value], count = place.titles.length;
    for (const part of document.querySelectorAll("[data-place]")) part.hidden = part.dataset.place !== which.value;
    const size = parseFloat(getComputedStyle(document.documentElement).fontSize);
    const beside = widthOf(host) >= NARROWEST * count;
    const spacing = 1.2 * size, room = widthOf(host) - 6 * size;
    const width = beside ? (room - (count - 1) * spacing) / count : room;
    const height = Math.round(Math.min(0.45 * innerHeight, 0.5 * width + 110));
    draw(host, {
      data: spec.data, concat: place.titles.map((_, k) => panelOf(place, k, width, height, beside)),
      columns: beside ? count : 1, spacing,
      description: `${place.y}, by batch size and way; the tables below give every median`,
    }, place.points);
  }

  which.form.addEventListener("submit", (event) => event.preventDefault());
  which.addEventListener("change", () => {
    remember("place", which.value, which.options[0].value);
    show();
  });
  redraws.set(host, show);
  show();
})();
