// What more ranks buy, through a network of the reader's.
"use strict";

(() => {
  const host = byId("ranks-chart");
  const network = byId("ranks-network");
  const sliders = ["latency", "bandwidth"].map((name) => byId(`ranks-${name}`));
  const { ranks, methods, networks, efficient } = DATA.ranks;
  const ends = (slider) => ["low", "high"].map((end) => Number(slider.parentElement.dataset[end]));
  const valueOf = (slider) => {
    const [low, high] = ends(slider);
    return Number((low * (high / low) ** (slider.value / 100)).toPrecision(3));
  };
  const set = (slider, value) => {
    const [low, high] = ends(slider);
    slider.value = (100 * Math.log(value / low)) / Math.log(high / low);
  };

  // 2 log2(R) α + 2 (1 - 1/R) β n, as in speedup.py.
  function allReduce(R, [latency, bandwidth]) {
    return 2 * Math.log2(R) * 1e-6 * latency + 2 * (1 - 1 / R) * (8e-9 / bandwidth) * DATA.ranks.bytes;
  }

  // [{ranks, b, seconds}], with the batch that is done first on so many ranks.
  function timesOf(method, through) {
    return ranks.map((R, place) => {
      const each = method.sizes.flatMap((b, k) => method.seconds[k][place] === null ? [] :
        [{ ranks: R, b, seconds: method.updates[k] * (method.seconds[k][place] + allReduce(R, through)) }]);
      return each.reduce((one, other) => (other.seconds < one.seconds ? other : one), each[0]);
    }).filter(Boolean);
  }

  function worthHaving(times) {
    const end = times.findIndex(({ ranks: R, seconds }) => times[0].seconds / seconds < efficient * R);
    return times[(end < 0 ? times.length : Math.max(end, 1)) - 1].ranks;
  }

  const few = (value) => Number(value.toPrecision(3)).toLocaleString("en", { maximumSignificantDigits: 3 });

  function show() {
    const through = sliders.map(valueOf);
    for (const slider of sliders) {
      byId(`${slider.id}-shown`).textContent = few(valueOf(slider));
      slider.setAttribute("aria-valuetext", few(valueOf(slider)));
    }
    const points = [], rows = [];
    const highest = Math.max(...methods.flatMap(({ bands }) => (bands[network.value] ?? []).flat()));
    for (const method of methods) {
      const { name } = method.look, times = timesOf(method, through), worth = worthHaving(times);
      const first = times.reduce((one, other) => (other.seconds < one.seconds ? other : one));
      rows.push([name, worth.toLocaleString("en"), few(times[0].seconds),
        `${few(first.seconds)} s on ${first.ranks.toLocaleString("en")}, b = ${first.b.toLocaleString("en")}`]);
      times.forEach(({ ranks: R, b, seconds }, k) => {
        const point = { method: name, ranks: R, seconds, worth: R === worth, tip: {
          method: name, ranks: R.toLocaleString("en"), seconds: few(seconds), "batch size": b.toLocaleString("en"),
          "as efficient as one": few(times[0].seconds / seconds / R) } };
        const [low, high] = method.bands[network.value]?.[k] ?? [];
        if (low !== undefined) {
          // Without an end upwards a band leaves the scale, whose end is among the other numbers.
          Object.assign(point, { low, high: high ?? highest });
          point.tip["of draws"] = `${few(low)} to ${high === null ? "without end" : few(high)}`;
        }
        points.push(point);
      });
    }
    const name = network.value === "" ? "another network" : network.selectedOptions[0].textContent.split(":")[0];
    const caption = `${name}: ${few(through[0])} µs a message, ${few(through[1])} Gbit/s`;
    byId("ranks-values").replaceChildren(tableOf(DATA.ranks.heads, rows, caption));
    const it = structuredClone(DATA.ranks.spec);
    dress(it, methods.map(({ look }) => look), host);
    if (!points.some(({ low }) => low !== undefined)) it.layer = it.layer.filter(({ name }) => name !== "bands");
    it.description = "seconds against ranks, by method; the table below gives the ends";
    draw(host, fitted(it, host, Math.round(Math.min(0.5 * innerHeight, 0.45 * widthOf(host) + 60))), points);
  }

  function choose(place) {
    network.value = place;
    if (place !== "") networks[place].forEach((value, k) => set(sliders[k], value));
  }

  network.form.addEventListener("submit", (event) => event.preventDefault());
  network.addEventListener("change", () => {
    choose(network.value);
    remember("network", network.value || sliders.map(valueOf).join(" "), "0");
    show();
  });
  for (const slider of sliders)
    slider.addEventListener("input", () => {
      network.value = "";
      remember("network", sliders.map(valueOf).join(" "), "0");
      show();
    });
  choose("0");
  const before = (chosen.get("network") ?? "0").split(" ");
  if (before.length === 2 && before.every((value) => Number(value) > 0)) {
    network.value = "";
    before.forEach((value, k) => set(sliders[k], Number(value)));
  } else if (networks.some((_, place) => `${place}` === before[0])) choose(before[0]);
  redraws.set(host, show);
  show();
})();
