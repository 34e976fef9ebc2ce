// What a page can do better with a script: local times, live updates, keys. Everything works without it.
"use strict";
(() => {
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];
  const forms = {
    full: { dateStyle: "medium", timeStyle: "short" },
    clock: { hour: "2-digit", minute: "2-digit", second: "2-digit", hour12: false },
  };

  // Where the reader's day begins, for what the server counts by days.
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  if (zone) document.cookie = `karkhana_zone=${encodeURIComponent(zone)};path=/;max-age=31536000;samesite=strict`;

  const localise = (root) => {
    for (const each of all("time[datetime]", root)) {
      const at = new Date(each.dateTime);
      if (Number.isNaN(at.getTime())) continue;
      each.textContent = new Intl.DateTimeFormat(undefined, forms[each.dataset.form] || forms.full).format(at);
      each.title = each.dateTime;
    }
  };

  // A form that is on its way answers with a page of its own: what it changes must not load this one anew before.
  let leaving = false;
  addEventListener("submit", (event) => { leaving = event.target.method !== "dialog"; });
  addEventListener("pageshow", () => { leaving = false; });

  // Live: one stream a page; the server sends parts by the id that they replace.
  // A browser has six connections to one server, so that tabs which nobody looks at leave theirs to the others.
  const follow = (place) => {
    let stream = null, known = "", resting = 0, over = false;
    const open = () => {
      if (stream || over || document.hidden) return;
      const address = new URL(place.dataset.live, location.href);
      if (known && address.searchParams.has("after")) address.searchParams.set("after", known);
      stream = new EventSource(address);
      stream.addEventListener("update", take);
    };
    const close = () => { if (stream) stream.close(); stream = null; };
    const end = () => { over = true; close(); };
    const take = (event) => {
      known = event.lastEventId;
      const told = JSON.parse(event.data);
      for (const [id, html] of Object.entries(told.parts)) {
        const part = document.getElementById(id);
        if (!part || part.contains(document.activeElement)) continue;
        part.innerHTML = html;
        localise(part);
      }
      if (told.waiting !== undefined) count(told.waiting);
      if (told.rows) append(told.rows);
      const before = place.dataset.status;
      if (told.status && before && told.status !== before) {
        place.dataset.status = told.status;
        // What a person is asked, and the tabs, are other ones in another state.
        if (told.ended || told.status === "waiting_for_review") { end(); if (!leaving) location.reload(); }
      } else if (told.ended) end();
    };
    document.addEventListener("visibilitychange", () => {
      clearTimeout(resting);
      if (document.hidden) resting = setTimeout(close, 5000);
      else open();
    });
    addEventListener("pagehide", close);
    addEventListener("pageshow", open);
    open();
  };

  const append = (html) => {
    const body = document.querySelector("#trail-rows[data-tail]");
    if (!body) return;
    const made = document.createElement("template");
    made.innerHTML = `<table><tbody>${html}</tbody></table>`;
    for (const row of all("tbody > tr", made.content)) {
      if (row.id && document.getElementById(row.id)) continue;
      if (!row.id && !row.classList.contains("fold")) {
        const last = all(".station", body).pop();
        if (last && last.textContent.trim() === row.textContent.trim()) continue;
      }
      if (row.classList.contains("fold")) {
        const first = row.querySelector("li[id]");
        if (first && document.getElementById(first.id)) continue;
      }
      localise(row);
      body.append(row);
    }
  };

  const count = (waiting) => {
    const badge = document.getElementById("waiting-count");
    badge.textContent = waiting;
    badge.hidden = !waiting;
  };

  // Keys
  let here = -1;
  const items = () => all("[data-list] [data-item]");
  const move = (step) => {
    const list = items();
    if (!list.length) return;
    if (here >= 0 && list[here]) list[here].classList.remove("here");
    here = Math.min(list.length - 1, Math.max(0, here + step));
    list[here].classList.add("here");
    const link = list[here].querySelector("a");
    if (link) link.focus({ preventScroll: true });
    list[here].scrollIntoView({ block: "nearest" });
  };
  const pressed = (key) => {
    const list = items();
    const near = here >= 0 && list[here] ? list[here] : document;
    return near.querySelector(`[data-key="${key}"]`) || document.querySelector(`[data-key="${key}"]`);
  };
  const places = { n: "/", r: "/runs", a: "/approvals", q: "/quality" };
  let going = false;

  addEventListener("keydown", (event) => {
    if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "k") {
      event.preventDefault();
      palette();
      return;
    }
    if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
    if (event.target.matches("input, textarea, select")) {
      if (event.key === "Escape") event.target.blur();
      return;
    }
    const key = event.key;
    if (going) {
      going = false;
      if (places[key]) location.href = places[key];
      return;
    }
    if (key === "?") document.getElementById("keys").showModal();
    else if (key === "j") move(1);
    else if (key === "k") move(-1);
    else if (key === "g") going = true;
    else if (key === "a" || key === "r" || key === "n") {
      const found = pressed(key);
      if (!found || found.disabled) return;
      if (key === "n") found.click();
      else { found.focus(); found.scrollIntoView({ block: "center" }); }
    } else if (/^[1-5]$/.test(key)) {
      const tab = all(".tabs a")[Number(key) - 1];
      if (tab) tab.click();
    } else return;
    event.preventDefault();
  });

  // The palette
  let asked = 0;
  const palette = () => {
    const dialog = document.getElementById("palette");
    if (dialog.open) return;
    dialog.showModal();
    document.getElementById("palette-words").select();
  };
  const search = async (words) => {
    const mine = ++asked;
    const answer = await fetch(`/jump?q=${encodeURIComponent(words)}`, { headers: { accept: "application/json" } });
    const found = answer.ok ? await answer.json() : [];
    if (mine !== asked) return;
    document.getElementById("palette-found").replaceChildren(...found.map((each) => {
      const item = document.createElement("li"), link = document.createElement("a"), more = document.createElement("small");
      link.href = each.href;
      link.textContent = each.title;
      more.textContent = each.more;
      link.append(more);
      item.append(link);
      return item;
    }));
  };

  addEventListener("DOMContentLoaded", () => {
    localise(document);
    all("[data-live]").forEach(follow);
    const words = document.getElementById("palette-words");
    if (!words) return;
    words.addEventListener("input", () => search(words.value.trim()));
    document.getElementById("palette").addEventListener("keydown", (event) => {
      const links = all("#palette-found a");
      const place = links.indexOf(document.activeElement);
      if (event.key === "ArrowDown" && links.length) links[Math.min(links.length - 1, place + 1)].focus();
      else if (event.key === "ArrowUp" && place >= 0) (links[place - 1] || words).focus();
      else if (event.key === "Enter" && place < 0 && links.length) links[0].click();
      else return;
      event.preventDefault();
    });
  });
})();
