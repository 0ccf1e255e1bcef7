"use strict";
// The page works with what the server has rendered: a form by the model's columns, and a place for a file.
(() => {
  const $ = (id) => document.getElementById(id);
  const make = (tag, text, className) => {
    const element = document.createElement(tag);
    if (text !== undefined) element.textContent = text;
    if (className) element.className = className;
    return element;
  };

  const describe = (problem) => problem.detail || "the service gave no reason";

  // One record.
  const form = $("record");
  const valueOf = (field) => {
    if (field.value === "") return null;
    if (field.dataset.kind === "text") return field.value;
    if (field.dataset.kind === "boolean") return field.value === "true";
    return Number(field.value);
  };
  const clearFaults = () => {
    form.querySelectorAll(".fault").forEach((fault) => fault.remove());
    form.querySelectorAll("[aria-invalid]").forEach((field) => {
      field.removeAttribute("aria-invalid");
      field.removeAttribute("aria-describedby");
    });
  };
  const showFaults = (problems) => {
    let first = null;
    for (const { path, problem } of problems || []) {
      const name = path.replace(/^records\[0\]\.?/, "");
      const field = form.elements.namedItem(name);
      if (!field) continue;
      const note = make("span", problem, "fault");
      note.id = "fault-" + name;
      field.setAttribute("aria-invalid", "true");
      field.setAttribute("aria-describedby", note.id);
      field.after(note);
      first = first || field;
    }
    if (first) first.focus();
  };
  const showVerdict = (answer) => {
    const { verdict, reasons } = answer.explanations[0];
    const place = $("verdict");
    place.replaceChildren();
    const percent = (100 * verdict.threat_probability).toFixed(1);
    place.append(make("p", `${verdict.label}: ${percent} % probable to be a threat`,
      "verdict " + (verdict.threat ? "threat" : "benign")));
    place.append(make("p", `Called a threat from ${(100 * answer.threshold).toFixed(1)} % on, by version ` +
      `${answer.model.version}.`, "soft"));
    if (verdict.imputed.length) {
      place.append(make("p", "Without a value, and treated as missing: " + verdict.imputed.join(", ")));
    }
    const table = make("table");
    table.append(make("caption", "What weighed most"));
    const head = make("tr");
    for (const [text, name] of [["column"], ["value"], ["speaks"], ["weight", "n"]]) {
      const cell = make("th", text, name);
      cell.scope = "col";
      head.append(cell);
    }
    const header = make("thead");
    header.append(head);
    const body = make("tbody");
    for (const reason of reasons) {
      const row = make("tr");
      const isFor = reason.contribution > 0;
      const side = reason.contribution === 0 ? "for neither" : isFor ? "for a threat" : "against";
      row.append(make("td", reason.column), make("td", reason.value),
        make("td", side, isFor ? "for" : "against"),
        make("td", reason.contribution.toFixed(3), "n"));
      body.append(row);
    }
    table.append(header, body);
    place.append(table);
  };
  if (form) {
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      clearFaults();
      // Without a prototype: a column may be named `__proto__`.
      const record = Object.create(null);
      for (const field of form.querySelectorAll("[data-kind]")) {
        const value = valueOf(field);
        if (value !== null) record[field.name] = value;
      }
      const place = $("verdict");
      try {
        const response = await fetch("/v1/explain", {
          method: "POST",
          headers: { "Content-Type": "application/json" },
          body: JSON.stringify({ records: [record], top: 8 }),
        });
        const answer = await response.json();
        if (response.ok) return showVerdict(answer);
        place.replaceChildren(make("p", describe(answer), "fault"));
        showFaults(answer.problems);
      } catch (error) {
        place.replaceChildren(make("p", "The service cannot be reached: " + error.message, "fault"));
      }
    });
  }

  const typical = $("typical");
  if (typical) {
    typical.addEventListener("click", () => {
      for (const field of form.querySelectorAll("[data-typical]")) {
        const value = field.dataset.typical;
        field.value = field.dataset.kind === "boolean" ? String(value === "1") : value;
      }
    });
  }

  // Administration: what was done is said after the page has been loaded anew.
  const done = $("done");
  const post = (path, body) => fetch(path, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(body),
  });
  const complain = (text) => {
    done.textContent = text;
    done.className = "fault";
  };
  const bodyOf = (form) => {
    const body = {};
    for (const field of form.elements) {
      if (!field.name) continue;
      if (field.type === "checkbox") { if (field.checked) body[field.name] = true; }
      else if (field.value !== "") {
        body[field.name] = field.dataset.kind === "whole" ? Number(field.value) : field.value;
      }
    }
    return body;
  };
  // Sends what a form holds; gives the answer, or says why there is none.
  const ask = async (form, path) => {
    try {
      const response = await post(path, bodyOf(form));
      const answer = await response.json();
      if (response.ok) return answer;
      const problems = (answer.problems || []).map(({ path, problem }) => `${path}: ${problem}`);
      complain([describe(answer), ...problems].join("; "));
    } catch (error) {
      complain("The service cannot be reached: " + error.message);
    }
    return null;
  };
  const act = async (form) => {
    const button = form.querySelector("button");
    button.disabled = true;
    const answer = await ask(form, form.dataset.action);
    button.disabled = false;
    if (!answer) return;
    sessionStorage.setItem("done", `${form.dataset.done} Version ${answer.version} serves.`);
    location.reload();
  };
  const outcome = ({ id, version, verdict }) => {
    if (!version) return `Training ${id} has ended.`;
    const { promoted, reasons = [] } = verdict || {};
    const why = reasons.length ? `: ${reasons.join("; ")}` : "";
    return `Training ${id} made version ${version}, which ${promoted ? "serves now" : "was declined" + why}.`;
  };
  const follow = (id) => {
    const bar = $("training"), stage = $("stage"), button = $("train").querySelector("button");
    const cancel = $("cancel");
    cancel.hidden = false;
    cancel.onclick = async () => {
      const response = await post(`/jobs/${id}/cancel`, {});
      if (!response.ok) complain(describe(await response.json()));
    };
    bar.hidden = false;
    bar.removeAttribute("value");
    button.disabled = true;
    stage.textContent = `Training ${id} runs.`;
    const events = new EventSource(`/jobs/${id}/events`);
    const end = (text) => {
      events.close();
      bar.hidden = true;
      cancel.hidden = true;
      button.disabled = false;
      stage.textContent = text;
    };
    events.addEventListener("running", (event) => {
      const { progress } = JSON.parse(event.data);
      if (!progress) return;
      if (progress.total) bar.value = progress.done / progress.total;
      stage.textContent = `Training ${id}: ${progress.stage}`;
    });
    events.addEventListener("done", (event) => end(outcome(JSON.parse(event.data))));
    events.addEventListener("failed", (event) => {
      end(`Training ${id} failed: ${JSON.parse(event.data).error || "it gave no reason"}`);
    });
    events.addEventListener("cancelled", () => end(`Training ${id} was cancelled.`));
    events.onerror = () => end(`Nothing more is heard of training ${id}: load the page anew.`);
  };
  const train = $("train");
  if (done) {
    done.textContent = sessionStorage.getItem("done") || "";
    sessionStorage.removeItem("done");
    for (const form of document.querySelectorAll("form[data-action]")) {
      form.addEventListener("submit", (event) => { event.preventDefault(); act(form); });
    }
  }
  if (train) {
    train.addEventListener("submit", async (event) => {
      event.preventDefault();
      const job = await ask(train, "/train");
      if (job) follow(job.id);
    });
    // One that was begun before the page was loaded.
    fetch("/jobs").then((response) => response.json()).then((jobs) => {
      const running = jobs.find((job) => job.state === "running");
      if (running) follow(running.id);
    });
  }

  // A file.
  const drop = $("drop");
  const input = $("file");
  // The rows of a text, the last one without an end of its own as well: within quotes a line does not end.
  const parseRows = (text) => {
    const rows = [];
    let cells = [], cell = "", quoted = false;
    for (let i = 0; i < text.length; i++) {
      const c = text[i];
      if (quoted && c === '"' && text[i + 1] === '"') { cell += c; i++; }
      else if (c === '"') quoted = !quoted;
      else if (quoted) cell += c;
      else if (c === drop.dataset.delimiter) { cells.push(cell); cell = ""; }
      else if (c === "\n") { rows.push([...cells, cell]); cells = []; cell = ""; }
      else if (c !== "\r") cell += c;
    }
    if (cells.length || cell) rows.push([...cells, cell]);
    return rows;
  };
  const SHOWN = 100;
  // Counts the rows of a file of whatever size, a part at a time: a line may end within quotes.
  const countRows = async (blob) => {
    const reader = blob.stream().getReader();
    let lines = 0, quoted = false;
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return Math.max(lines - 1, 0);
      for (const byte of value) {
        if (byte === 34) quoted = !quoted;
        else if (byte === 10 && !quoted) lines++;
      }
    }
  };
  const showRows = async (blob) => {
    const found = parseRows(await blob.slice(0, 1 << 18).text());
    // What is cut off is no row.
    if (blob.size > 1 << 18) found.pop();
    const rows = found.slice(0, SHOWN + 1);
    const names = rows.shift() || [];
    // The verdict first: it stands last in the file.
    const order = [...names.keys()].slice(-5).concat([...names.keys()].slice(0, -5));
    // Of the probability people need no more digits; the download has them all.
    const shown = (cells, at) =>
      at === names.length - 4 && cells[at] ? Number(cells[at]).toFixed(4) : cells[at];
    const table = make("table");
    const caption = make("caption", `The first ${rows.length} rows`);
    table.append(caption);
    const header = make("thead"), head = make("tr"), body = make("tbody");
    for (const at of order) {
      const cell = make("th", names[at]);
      cell.scope = "col";
      head.append(cell);
    }
    header.append(head);
    for (const cells of rows) {
      const row = make("tr");
      for (const at of order) row.append(make("td", shown(cells, at)));
      body.append(row);
    }
    table.append(header, body);
    $("rows").replaceChildren(table);
    const left = await countRows(blob) - rows.length;
    caption.textContent = left > 0
      ? `The first ${rows.length} rows; ${left} more are in the download`
      : `All ${rows.length} rows`;
  };
  let url = null;
  const finish = (request, name) => {
    $("progress").hidden = true;
    input.disabled = false;
    if (request.status !== 200) {
      request.response.text().then((text) => {
        let problem = {};
        try { problem = JSON.parse(text); } catch { /* an answer of something in between */ }
        $("said").textContent = describe(problem);
      });
      return;
    }
    if (url) URL.revokeObjectURL(url);
    url = URL.createObjectURL(request.response);
    const link = $("download");
    link.href = url;
    link.download = name.replace(/(\.csv)?(\.gz)?$/i, "") + "-verdicts.csv";
    link.hidden = false;
    $("said").textContent = `${name} is scored.`;
    showRows(request.response);
  };
  const send = (file) => {
    const progress = $("progress");
    progress.hidden = false;
    progress.value = 0;
    $("download").hidden = true;
    $("rows").replaceChildren();
    $("said").textContent = `Scoring ${file.name} …`;
    input.disabled = true;
    const request = new XMLHttpRequest();
    request.open("POST", "/v1/predict/csv");
    request.setRequestHeader("Content-Type", "text/csv");
    request.responseType = "blob";
    // The service reads no faster than it scores: what it has taken is what it has done.
    request.upload.onprogress = (event) => {
      if (event.lengthComputable) progress.value = event.loaded / event.total;
    };
    request.onload = () => finish(request, file.name);
    request.onerror = () => {
      progress.hidden = true;
      input.disabled = false;
      $("said").textContent = "The answer broke off: the file, or the connection, is not whole.";
    };
    request.send(file);
  };
  if (drop) {
    input.addEventListener("change", () => { if (input.files[0]) send(input.files[0]); });
    for (const kind of ["dragenter", "dragover"]) {
      drop.addEventListener(kind, (event) => { event.preventDefault(); drop.classList.add("over"); });
    }
    for (const kind of ["dragleave", "drop"]) {
      drop.addEventListener(kind, (event) => { event.preventDefault(); drop.classList.remove("over"); });
    }
    drop.addEventListener("drop", (event) => {
      if (event.dataTransfer.files[0] && !input.disabled) send(event.dataTransfer.files[0]);
    });
  }
})();
