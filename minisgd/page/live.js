// A page of a sweep that runs reads its own file again, and shows what is new there.
"use strict";

(() => {
  const EVERY = 2; // seconds
  let frame = null;
  let asked = 0;

  function ask() {
    frame?.remove();
    // Another address than its own: no page may hold a frame of the very same.
    const src = `${location.href.split(/[?#]/)[0]}?${Date.now()}`;
    frame = make("iframe", undefined, { name: "renewal", hidden: "", src, title: "renewal" });
    document.body.append(frame);
    asked = Date.now();
  }

  addEventListener("message", (event) => {
    if (!frame || event.source !== frame.contentWindow) return;
    frame.remove();
    frame = null;
    const next = JSON.parse(event.data.data);
    if (next.live && DATA.live && next.live.written === DATA.live.written) return;
    DATA = next;
    for (const [id, inside] of Object.entries(event.data.parts)) byId(id).innerHTML = inside;
    explorer.show();
    tell();
  });

  function tell() {
    const silent = DATA.live ? Date.now() / 1000 - DATA.live.written : 0;
    byId("silence").textContent = DATA.live && silent > DATA.live.patience
      ? `Nothing has come in for ${Math.floor(silent / 60)} minutes: the sweep may have been stopped. ` +
        "The same command goes on from there."
      : "";
  }

  const timer = setInterval(() => {
    if (!DATA.live) {
      clearInterval(timer);
      return;
    }
    tell();
    if (!document.hidden && (!frame || Date.now() - asked > 10000)) ask();
  }, EVERY * 1000);
  tell();
})();
