// What more ranks buy, through a network of the reader's.
"use strict";

(() => {
  const host = byId("ranks-chart");
  const network = byId("ranks-network");
  const sliders = ["latency", "bandwidth"].map((name) => byId(`ranks-${name}`));
  const { ranks, methods, efficient, interval } = DATA.ranks;
  const networks = DATA.ranks.networks.map((of) => of.map((value) => value ?? Infinity));
  const decoded = ({ of, at }) => Float64Array.from(at, (place) => of[place] ?? Infinity);
  const draws = new Map(methods.map((method) => [method,
    { updates: method.drawn.map(decoded), misfits: method.misfits.map(decoded) }]));
  const ends = (slider) => ["low", "high"].map((end) => Number(slider.parentElement.dataset[end]));
  const valueOf = (slider) => {
    const [low, high] = ends(slider);
    return Number((low * (high / low) ** (slider.value / 100)).toPrecision(3));
  };
  const set = (slider, value) => {
    const [low, high] = ends(slider);
    slider.value = Math.min(100, Math.max(0, (100 * Math.log(value / low)) / Math.log(high / low)));
  };

  // 2 log2(R) α + 2 (1 - 1/R) β n, as in speedup.py.
  function allReduce(R, [latency, bandwidth]) {
    return 2 * Math.log2(R) * 1e-6 * latency + 2 * (1 - 1 / R) * (8e-9 / bandwidth) * DATA.ranks.bytes;
  }

  // [{ranks, b, seconds, drawn}], with the batch that is done first on so many ranks, and in every
  // draw of its own.
  function timesOf(method, through) {
    const { updates, misfits } = draws.get(method);
    return ranks.flatMap((R, place) => {
      const each = method.sizes.flatMap((b, k) => method.seconds[k][place] === null ? [] :
        [{ b, k, update: method.seconds[k][place] + allReduce(R, through) }]);
      if (!each.length) return [];
      const drawn = misfits[place].map((ratio, i) =>
        ratio * Math.min(...each.map(({ k, update }) => updates[k][i] * update)));
      const times = each.map(({ b, k, update }) => ({ ranks: R, b, seconds: method.updates[k] * update, drawn }));
      return [times.reduce((one, other) => (other.seconds < one.seconds ? other : one))];
    });
  }

  // Of seconds on 1, 2, 4, ... ranks.
  function worthHaving(seconds) {
    const end = seconds.findIndex((took, k) => !isFinite(took) || seconds[0] / took < efficient * ranks[k]);
    return ranks[(end < 0 ? seconds.length : Math.max(end, 1)) - 1];
  }

  // The ends of the interval: of the draws in order, those nearest to its percentiles.
  const endsOf = (values) => {
    const sorted = Float64Array.from(values).sort();
    return interval.map((percent) => sorted[Math.round((percent / 100) * (sorted.length - 1))]);
  };

  const whole = (value) => value.toLocaleString("en");
  const few = (value) => isFinite(value)
    ? Number(value.toPrecision(3)).toLocaleString("en", { maximumSignificantDigits: 3 }) : "without end";
  const spread = ({ seconds, drawn }) => `${few(seconds)} (${endsOf(drawn).map(few).join(" to ")})`;

  function show() {
    const through = networks[network.value] ?? sliders.map(valueOf);
    sliders.forEach((slider, k) => {
      byId(`${slider.id}-shown`).textContent = few(through[k]);
      slider.setAttribute("aria-valuetext", few(through[k]));
    });
    const points = [], rows = [];
    for (const method of methods) {
      const { name } = method.look, times = timesOf(method, through);
      const worth = worthHaving(times.map(({ seconds }) => seconds));
      const worths = times[0].drawn.map((_, i) => worthHaving(times.map(({ drawn }) => drawn[i])));
      const first = times.reduce((one, other) => (other.seconds < one.seconds ? other : one));
      rows.push([name, `${whole(worth)} (${endsOf(worths).map(whole).join(" to ")})`, spread(times[0]),
        `${spread(first)} s on ${whole(first.ranks)}, b = ${whole(first.b)}`]);
      for (const time of times) {
        const { ranks: R, b, seconds, drawn } = time, [low, high] = endsOf(drawn);
        points.push({ method: name, ranks: R, seconds, worth: R === worth, low, high, tip: {
          method: name, ranks: whole(R), seconds: spread(time), "batch size": whole(b),
          "as efficient as one": few(times[0].seconds / seconds / R) } });
      }
    }
    // Without an end upwards a band goes to the top of the panel.
    const highest = Math.max(...points.flatMap(({ seconds, high }) => [seconds, high]).filter(isFinite));
    for (const point of points) point.high = Math.min(point.high, highest);
    const name = network.value === "" ? "another network" : network.selectedOptions[0].textContent.split(":")[0];
    const caption = `${name}: ${few(through[0])} µs a message, ${few(through[1])} Gbit/s`;
    byId("ranks-values").replaceChildren(tableOf(DATA.ranks.heads, rows, caption));
    const it = structuredClone(DATA.ranks.spec);
    dress(it, methods.map(({ look }) => look), host);
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
