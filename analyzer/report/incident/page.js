"use strict";
// All that comes from the capture is put into the page as text (textContent), never as markup.
(() => {
  const { severities, rows } = JSON.parse(document.getElementById("data").textContent);
  const [STREAM, CLIENT, SERVER, VERDICT, START, LASTED, PACKETS, OCTETS, PROBES, END, DETAILS] = Array(11).keys();
  const NUMBERS = new Set([STREAM, LASTED, PACKETS, OCTETS]);
  const URGENCY = ["info", "low", "medium", "high"];
  const PAGE = 200;
  const table = document.getElementById("table"), body = table.tBodies[0], more = document.getElementById("more");
  const filter = document.getElementById("filter"), verdict = document.getElementById("verdict");
  const count = document.getElementById("count"), chosen = document.getElementById("chosen");
  let column = VERDICT, descending = true, found = [], shown = 0;

  const urgency = (row) => URGENCY.indexOf(severities[row[VERDICT]]);
  const address = (text) => text.replace(/\d+/g, (digits) => digits.padStart(5, "0"));
  const key = (row) => column === VERDICT ? urgency(row) : column === CLIENT || column === SERVER ? address(row[column]) : row[column];
  const time = (ms) => new Date(ms).toISOString().replace("T", " ").replace("Z", "");
  const span = (s) => s < 60 ? s + " s" : s < 3600 ? Math.floor(s / 60) + " min " + Math.round(s % 60) + " s"
    : Math.floor(s / 3600) + " h " + Math.round(s % 3600 / 60) + " min";

  function element(name, text, className) {
    const made = document.createElement(name);
    if (text !== undefined) made.textContent = text;
    if (className) made.className = className;
    return made;
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
      made.append(link);
      return made;
    }
    return element("td", at === START ? time(value) : at === LASTED ? span(value) : value, NUMBERS.has(at) ? "number" : "");
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

  function open(stream) {
    const part = document.getElementById("stream-" + stream);
    if (part && part.tagName === "DETAILS") {
      part.open = true;
      part.scrollIntoView();
      part.querySelector("summary").focus({ preventScroll: true });
      return;
    }
    const row = rows.find((one) => one[STREAM] === stream);
    if (!row) return;
    const made = element("details"), heading = element("h3", "#" + stream + " " + row[CLIENT] + " \u2192 " + row[SERVER] + " ");
    const summary = element("summary"), list = element("dl");
    heading.append(element("span", row[VERDICT], "mark " + severities[row[VERDICT]]));
    summary.append(heading);
    for (const [name, value] of [["began", time(row[START]) + " UTC"], ["end", row[END]], ["probes", row[PROBES]], ...row[DETAILS]]) {
      list.append(element("dt", name), element("dd", value));
    }
    made.append(summary, list);
    made.open = true;
    chosen.replaceChildren(made);
    chosen.scrollIntoView();
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
    const marked = event.target.closest("[data-stream]");
    if (!marked || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    open(Number(marked.dataset.stream));
  });
  filter.addEventListener("input", renew);
  verdict.addEventListener("change", renew);
  more.addEventListener("click", append);
  addEventListener("beforeprint", () => { while (shown < Math.min(found.length, 1000)) append(); });
  document.getElementById("controls").hidden = table.hidden = false;
  renew();
})();
