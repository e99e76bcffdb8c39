"use strict";

// The token is kept here and nowhere else; reloading the page forgets it.
let token = null;
let report = null;
let picture = null;

const at = (id) => document.getElementById(id);

function made(name, text, kind) {
  const element = document.createElement(name);
  if (text !== undefined) element.textContent = text;
  if (kind) element.className = kind;
  return element;
}

function fail(message) {
  at("failure").textContent = message;
  at("failure").hidden = !message;
}

async function signIn(key, secret) {
  const form = new URLSearchParams({ grant_type: "client_credentials", client_id: key, client_secret: secret });
  const answer = await fetch("/_iceberg/v1/oauth/tokens", { method: "POST", body: form, credentials: "omit" });
  if (!answer.ok) throw new Error("The key or its secret is wrong.");
  token = (await answer.json()).access_token;
}

async function ask(path, accept) {
  const headers = { Authorization: "Bearer " + token, Accept: accept };
  const answer = await fetch(path, { headers, credentials: "omit", cache: "no-store" });
  if (answer.status === 401) {
    signOut();
    throw new Error("The token has ended. Sign in again.");
  }
  if (!answer.ok) {
    const body = await answer.json().catch(() => ({}));
    throw new Error(body.error ? body.error.message : "The server answered " + answer.status + ".");
  }
  return answer;
}

function signOut() {
  token = null;
  clear();
  at("enter").hidden = false;
  at("reports").hidden = true;
  at("leave").hidden = true;
}

async function begin() {
  const answer = await (await ask("/_admin/v1/reports", "application/json")).json();
  at("names").replaceChildren(...answer.reports.map((found) => {
    const item = made("li");
    const button = made("button", found.title);
    button.type = "button";
    button.addEventListener("click", () => choose(found, button));
    item.append(button);
    return item;
  }));
  at("enter").hidden = true;
  at("reports").hidden = false;
  at("leave").hidden = false;
  const first = at("names").querySelector("button");
  if (first) first.click();
}

function field(name, description, type, value, bounds) {
  const label = made("label", name);
  label.title = description;
  const input = made("input");
  input.name = name;
  input.type = type;
  input.value = value;
  if (bounds) {
    input.min = bounds[0];
    input.max = bounds[1];
  }
  label.append(input);
  return label;
}

function choose(found, button) {
  report = found;
  for (const other of at("names").querySelectorAll("button")) other.removeAttribute("aria-current");
  button.setAttribute("aria-current", "true");
  at("title").textContent = found.title;
  at("about").textContent = found.description;
  const fields = found.parameters.map((parameter) => {
    const isNumber = parameter.type === "integer";
    const bounds = isNumber ? [parameter.least, parameter.most] : null;
    return field(parameter.name, parameter.description, isNumber ? "number" : "text", parameter.default, bounds);
  });
  if (found.inventory !== "none") {
    fields.push(field("inventory", "bucket/id: as this inventory found the objects", "text", ""));
  }
  at("parameters").replaceChildren(...fields);
  clear();
  fail("");
}

function clear() {
  at("rows").hidden = true;
  at("rows").tBodies[0].replaceChildren();
  at("chart").hidden = true;
  at("chart").removeAttribute("src");
  if (picture) URL.revokeObjectURL(picture);
  picture = null;
  at("state").textContent = "";
  at("save").disabled = true;
}

function path() {
  const query = new URLSearchParams();
  for (const input of at("parameters").querySelectorAll("input")) {
    if (input.value !== "") query.append(input.name, input.value);
  }
  return "/_admin/v1/reports/" + encodeURIComponent(report.name) + "?" + query;
}

async function run() {
  clear();
  fail("");
  const [asked, where] = [report, path()];
  at("state").textContent = "Asking...";
  const answer = await (await ask(where, "application/json")).json();
  const svg = await (await ask(where, "image/svg+xml")).blob();
  if (asked !== report) return;
  show(answer);
  picture = URL.createObjectURL(svg);
  at("chart").src = picture;
  at("chart").alt = "Chart: " + answer.title;
  at("chart").hidden = false;
  at("state").textContent = answer.rows.length === 1 ? "1 row" : answer.rows.length + " rows";
  at("save").disabled = false;
}

function show(answer) {
  const kind = (column) => (column.unit === "text" || column.unit === "time" ? "" : "number");
  const heads = made("tr");
  heads.append(...answer.columns.map((column) => made("th", column.name.replaceAll("_", " "), kind(column))));
  at("rows").tHead.replaceChildren(heads);
  at("rows").tBodies[0].replaceChildren(...answer.rows.map((row) => {
    const line = made("tr");
    line.append(...answer.columns.map((column) => made("td", told(row[column.name], column.unit), kind(column))));
    return line;
  }));
  at("rows").hidden = false;
}

function told(value, unit) {
  if (value === null || value === undefined) return "-";
  if (unit === "bytes") return size(value);
  if (unit === "time") return new Date(value).toISOString().replace("T", " ").replace(/\.\d+Z$/, "");
  if (unit === "count") return value.toLocaleString("en");
  return String(value);
}

function size(bytes) {
  const units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];
  let [value, unit] = [bytes, 0];
  while (Math.abs(value) >= 1024 && unit + 1 < units.length) {
    value /= 1024;
    unit += 1;
  }
  return (unit === 0 ? String(value) : value.toFixed(1)) + " " + units[unit];
}

async function save() {
  const csv = await (await ask(path(), "text/csv")).blob();
  const link = made("a");
  link.href = URL.createObjectURL(csv);
  link.download = report.name + ".csv";
  link.click();
  URL.revokeObjectURL(link.href);
}

function guarded(work) {
  return (event) => {
    event.preventDefault();
    work().catch((error) => {
      at("state").textContent = "";
      fail(error.message);
    });
  };
}

at("enter").addEventListener("submit", guarded(async () => {
  const [key, secret] = [at("key").value, at("secret").value];
  at("secret").value = "";
  fail("");
  await signIn(key, secret);
  await begin();
}));
at("ask").addEventListener("submit", guarded(run));
at("save").addEventListener("click", guarded(save));
at("leave").addEventListener("click", guarded(async () => signOut()));
