"use strict";
// All that comes from the capture is put into the page as text (textContent), never as markup.
(() => {
  const { severities, base, date, rows: packed, texts } = JSON.parse(document.getElementById("data").textContent);
  const [STREAM, CLIENT, SERVER, VERDICT, START, LASTED, PACKETS, BYTES, PROBES, END, SENT, OPEN, DETAILS] = Array(13).keys();
  // Texts are numbers of a list; how long an open connection lasted is below zero.
  const rows = packed.map(([stream, client, start, lasted, packets, up, down, server, verdict, probes, end, ...pairs]) => [
    stream, client, texts[server], texts[verdict], base + start, lasted < 0 ? -lasted - 1 : lasted, packets, up + down,
    texts[probes], texts[end], [up, down], lasted < 0, pairs]);
  const NUMBERS = new Set([STREAM, LASTED, PACKETS, BYTES]), URGENCY = ["info", "low", "medium", "high"];
  const PAGE = 200, ADDRESS = 21; // rows at a time; characters of an IPv4 address and a port
  const table = document.getElementById("table"), body = table.tBodies[0], more = document.getElementById("more");
  const filter = document.getElementById("filter"), verdict = document.getElementById("verdict");
  const count = document.getElementById("count"), chosen = document.getElementById("chosen");
  let column = VERDICT, descending = true, found = [], shown = 0;

  const urgency = (row) => URGENCY.indexOf(severities[row[VERDICT]]);
  const address = (text) => text.replace(/\d+/g, (digits) => digits.padStart(5, "0"));
  const key = (row) => column === VERDICT ? urgency(row) : column === CLIENT || column === SERVER ? address(row[column]) : row[column];
  const time = (ms) => { const text = new Date(ms).toISOString().replace("T", " ").replace("Z", ""); return date ? text.slice(11) : text; };
  function two(number, large, name, rest) {
    return Math.floor(number / large) + " " + name + (number % large ? " " + number % large + " " + rest : "");
  }

  // As analyzer/model/durations.py has it.
  function span(us) {
    const s = us / 1e6;
    if (s < 0.05) return Math.max(us / 1000, 0.1).toFixed(1) + " ms";
    if (s <= 120) return s.toFixed(1) + " s";
    if (s < 3599.5) return two(Math.round(s), 60, "min", "s");
    return s < 172800 ? two(Math.round(s / 60), 60, "h", "min") : two(Math.round(s / 3600), 24, "d", "h");
  }
  const lasted = (row) => row[LASTED] ? (row[OPEN] ? "> " : "") + span(row[LASTED]) : "-";

  function element(name, text, className) {
    const made = document.createElement(name);
    if (text !== undefined) made.textContent = text;
    if (className) made.className = className;
    return made;
  }

  function copier(text) {
    const made = element("button", undefined, "copy");
    made.type = "button";
    made.dataset.copy = text;
    made.title = "Copy " + text;
    made.setAttribute("aria-label", made.title);
    return made;
  }

  async function copy(button) {
    try {
      await navigator.clipboard.writeText(button.dataset.copy);
    } catch {
      const field = element("textarea", button.dataset.copy);
      document.body.append(field);
      field.select();
      document.execCommand("copy");
      field.remove();
      button.focus();
    }
    button.classList.add("done");
    setTimeout(() => button.classList.remove("done"), 1500);
  }

  // Whatever is folded around it is opened.
  function reveal(part) {
    for (let one = part; one; one = one.parentElement) if (one.tagName === "DETAILS") one.open = true;
    part.scrollIntoView();
  }

  function cell(row, at) {
    const value = row[at];
    if (at === VERDICT) {
      const made = element("td");
      made.append(element("span", value, "mark " + severities[value]));
      return made;
    }
    if (at === STREAM) {
      const made = element("td", undefined, "number"), link = element("a", value);
      link.href = "#stream-" + value;
      link.dataset.stream = value;
      made.append(link, copier("tcp.stream == " + value));
      return made;
    }
    const kind = NUMBERS.has(at) ? "number" : at === PROBES || at === END ? "text" : (at === CLIENT || at === SERVER) && value.length > ADDRESS ? "long" : "";
    return element("td", at === START ? time(value) : at === LASTED ? lasted(row) : value, kind);
  }

  function append() {
    const part = document.createDocumentFragment();
    for (const row of found.slice(shown, shown + PAGE)) {
      const line = element("tr", undefined, "shown");
      line.dataset.stream = row[STREAM];
      for (let at = STREAM; at <= END; at++) line.append(cell(row, at));
      part.append(line);
    }
    body.append(part);
    shown = Math.min(shown + PAGE, found.length);
    more.hidden = shown >= found.length;
    count.textContent = found.length + " of " + rows.length + " connections" + (more.hidden ? "" : ", " + shown + " shown");
  }

  function renew() {
    const wanted = filter.value.trim().toLowerCase();
    found = rows.filter((row) => (!verdict.value || row[VERDICT] === verdict.value)
      && (!wanted || ("#" + [row[STREAM], row[CLIENT], row[SERVER], row[VERDICT], row[PROBES], row[END]].join(" ")).toLowerCase().includes(wanted)));
    const keys = new Map(found.map((row) => [row, key(row)])), sign = descending ? -1 : 1;
    found.sort((a, b) => (keys.get(a) < keys.get(b) ? -1 : keys.get(a) > keys.get(b) ? 1 : 0) * sign || a[STREAM] - b[STREAM]);
    for (const heading of table.tHead.rows[0].cells) {
      if (Number(heading.dataset.column) === column) heading.setAttribute("aria-sort", descending ? "descending" : "ascending");
      else heading.removeAttribute("aria-sort");
    }
    body.replaceChildren();
    shown = 0;
    append();
  }

  function facts(row) {
    const pairs = row[DETAILS].map((text) => texts[text]);
    const more = pairs.flatMap((name, at) => at % 2 ? [] : [[name, pairs[at + 1]]]);
    return [["began", time(row[START])], ["lasted", lasted(row)], ["end", row[END]], ["probes", row[PROBES]], ...more,
      ["sent", "client " + row[SENT][0] + " bytes, server " + row[SENT][1] + " bytes"]];
  }

  function open(stream) {
    const part = document.getElementById("stream-" + stream);
    if (part && part.tagName === "DETAILS") {
      reveal(part);
      part.querySelector("summary").focus({ preventScroll: true });
      return;
    }
    const row = rows.find((one) => one[STREAM] === stream);
    if (!row) return;
    const made = element("details"), heading = element("h3", "#" + stream + " " + row[CLIENT] + " \u2192 " + row[SERVER] + " ");
    const summary = element("summary"), list = element("dl");
    heading.append(element("span", row[VERDICT], "mark " + severities[row[VERDICT]]));
    summary.append(heading);
    for (const [name, value] of facts(row)) {
      list.append(element("dt", name), element("dd", value));
    }
    made.append(summary, list);
    made.open = true;
    chosen.replaceChildren(made);
    reveal(made);
    summary.focus({ preventScroll: true });
  }

  for (const word of [...new Set(rows.map((row) => row[VERDICT]))].sort()) {
    const option = element("option", word);
    option.value = word;
    verdict.append(option);
  }
  table.tHead.addEventListener("click", (event) => {
    const heading = event.target.closest("th");
    if (!heading) return;
    const pressed = Number(heading.dataset.column);
    descending = pressed === column ? !descending : pressed === VERDICT;
    column = pressed;
    renew();
  });
  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-copy]"), larger = event.target.closest(".enlarge");
    if (button) return void copy(button);
    if (larger) {
      const large = larger.closest("figure").querySelector(".chart").classList.toggle("large");
      larger.textContent = large ? "Fit" : "Enlarge";
      return;
    }
    const target = event.target.closest("nav a");
    if (target) reveal(document.getElementById(target.hash.slice(1)));
    const marked = event.target.closest("[data-stream]");
    if (!marked || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    open(Number(marked.dataset.stream));
  });
  filter.addEventListener("input", renew);
  verdict.addEventListener("change", renew);
  more.addEventListener("click", append);
  addEventListener("beforeprint", () => { while (shown < Math.min(found.length, 1000)) append(); });
  for (const button of document.querySelectorAll(".enlarge")) button.hidden = false;
  if (location.hash) { const part = document.getElementById(location.hash.slice(1)); if (part) reveal(part); }
  document.getElementById("controls").hidden = table.hidden = false;
  renew();
})();
