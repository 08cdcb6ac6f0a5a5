// What may be chosen of the explorer: the controls, their values in the address, and the lines that
// are meant.
"use strict";

const choices = (() => {
  const form = byId("choices");
  const ANY = form.dataset.any;
  const FILTERS = DATA.explorer.filters;
  const controls = [...form.querySelectorAll("[data-choice]")];
  const boxes = controls.filter((control) => control.dataset.choice === "size");
  const others = controls.filter((control) => control.dataset.choice !== "size");
  const controlOf = (name) => others.find((control) => control.dataset.choice === name);
  const usual = (name) => {
    const control = controlOf(name);
    const first = DATA.explorer.first[name];
    if (control.type === "checkbox") return first ?? "";
    return offers(control, first) ? first : control.options[0].value;
  };
  const offers = (select, value) => [...select.options].some((option) => option.value === value);

  function valueOf(name) {
    const control = controlOf(name);
    if (!control) return name === "metric" ? "test_accuracy" : name === "by" ? "epoch" : "";
    return control.type === "checkbox" ? (control.checked ? "1" : "") : control.value;
  }

  // Set the controls as the address says, or as the page wants them at first.
  function restore() {
    for (const control of others) {
      const name = control.dataset.choice;
      const value = chosen.get(name) ?? usual(name);
      if (control.type === "checkbox") control.checked = value === "1";
      else control.value = offers(control, value) ? value : usual(name);
    }
    const sizes = chosen.get("sizes")?.split(",");
    for (const box of boxes) box.checked = !sizes || sizes.includes(box.value);
    if (!through(FILTERS).length) makeRoomFor("dataset"); // not every folder has the runs of the first view
  }

  function store() {
    for (const control of others) {
      const name = control.dataset.choice;
      remember(name, valueOf(name), usual(name));
    }
    const ticked = boxes.filter((box) => box.checked).map((box) => box.value);
    remember("sizes", ticked.join(","), boxes.map((box) => box.value).join(","));
  }

  function passes(line, name) {
    const value = valueOf(name);
    return value === "" || value === ANY || (line.values[name] ?? "").split("\n").includes(value);
  }

  // The lines that some filters let through, whatever their batch size.
  const through = (filters) =>
    DATA.explorer.lines.filter((line) => filters.every((name) => passes(line, name)));

  function matching() {
    const sizes = new Set(boxes.filter((box) => box.checked).map((box) => Number(box.value)));
    return through(FILTERS).filter((line) => sizes.has(line.size))
      .map((line) => ({ ...line, ...line.within?.[valueOf("figure")] })); // the seeds of that figure alone
  }

  // The last choice stands, and what would leave nothing beside it gives way. A figure is shown
  // whole: what was chosen of other runs would leave an arbitrary part of it.
  function makeRoomFor(name) {
    const standing = [name];
    for (const other of FILTERS.filter((each) => each !== name && controlOf(each))) {
      const stays = name !== "figure" || other === "dataset";
      if (stays && through([...standing, other]).length) standing.push(other);
      else controlOf(other).value = ANY;
    }
    if (!matching().length) for (const box of boxes) box.checked = true;
  }

  // Some of the ways to draw are for accuracies, some for losses; and sizes of which there are no
  // such runs need no box.
  function allow() {
    const there = new Set(through(FILTERS).map((line) => line.size));
    for (const box of boxes) box.closest("label").hidden = !there.has(Number(box.value));
    for (const name of ["zoom", "log"])
      controlOf(name).disabled = valueOf("metric").endsWith("loss") === (name === "zoom");
  }

  // Call a function with the name of what has been chosen, "reset" if it is the first view.
  function whenChosen(act) {
    const after = (name) => {
      allow();
      store();
      act(name);
    };
    form.addEventListener("change", ({ target }) => {
      const name = target.dataset.choice;
      if (FILTERS.includes(name) && target.value !== ANY) makeRoomFor(name);
      after(name);
    });
    form.addEventListener("click", ({ target }) => {
      const which = target.dataset.sizes;
      if (!which) return;
      for (const box of boxes) box.checked = which === "all";
      after("sizes");
    });
    form.addEventListener("reset", (event) => {
      event.preventDefault();
      for (const name of [...others.map((control) => control.dataset.choice), "sizes"]) remember(name, "", "");
      restore();
      after("reset");
    });
  }

  form.addEventListener("submit", (event) => event.preventDefault());
  restore();
  allow();
  return { valueOf, matching, whenChosen };
})();
