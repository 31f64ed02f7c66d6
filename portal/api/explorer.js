"use strict";
/* Shows openapi.json and sends requests by hand. Nothing is loaded from elsewhere; the key stays in the page. */

const element = (name, properties = {}, ...children) => {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children);
  return made;
};

const typeOf = (schema = {}) => {
  if (schema.$ref) return schema.$ref.split("/").pop();
  if (schema.anyOf) return schema.anyOf.map(typeOf).join(" | ");
  if (schema.type === "array") return `${typeOf(schema.items)}[]`;
  return schema.enum ? schema.enum.join(" | ") : [schema.format, schema.type].find(Boolean) || "any";
};

const parametersTable = (parameters, fields) => {
  const table = element("table", {}, element("tr", {}, ...["Name", "In", "Type", "Value", ""].map((text) => element("th", { textContent: text }))));
  for (const parameter of parameters) {
    const input = element("input", { value: parameter.name === "Idempotency-Key" ? crypto.randomUUID() : "" });
    input.setAttribute("aria-label", parameter.name);
    fields.push([parameter, input]);
    table.append(element("tr", {},
      element("td", {}, element("code", { textContent: parameter.name + (parameter.required ? " *" : "") })),
      element("td", { textContent: parameter.in }),
      element("td", { textContent: typeOf(parameter.schema) }),
      element("td", {}, input),
      element("td", { textContent: parameter.description || "" })));
  }
  return table;
};

const send = async (method, path, fields, body, output) => {
  const headers = { Accept: "application/json", "Accept-Language": "en" };
  const key = document.getElementById("key").value;
  if (key) headers.Authorization = `Bearer ${key}`;
  const query = new URLSearchParams();
  let place = path;
  for (const [parameter, input] of fields) {
    if (!input.value) continue;
    if (parameter.in === "path") place = place.replace(`{${parameter.name}}`, encodeURIComponent(input.value));
    else if (parameter.in === "header") headers[parameter.name] = input.value;
    else query.append(parameter.name, input.value);
  }
  if (body) headers["Content-Type"] = "application/json";
  const response = await fetch(place + (query.size ? `?${query}` : ""), { method, headers, body: body ? body.value : undefined });
  const text = await response.text();
  let shown = text;
  try { shown = JSON.stringify(JSON.parse(text), null, 2); } catch { /* not JSON: shown as it came */ }
  output.textContent = `${response.status} ${response.statusText}\n\n${shown}`;
};

const operationSection = (path, method, operation) => {
  const fields = [];
  const output = element("pre", { hidden: true });
  const section = element("section", { id: operation.operationId },
    element("h3", {}, element("span", { className: "method", textContent: method.toUpperCase() }), element("code", { textContent: path })),
    element("p", { textContent: `${operation.summary} ${operation.description || ""}` }),
    element("p", { className: "scope", textContent: `Scope: ${operation.security[1].oauth2[0]}` }));
  const form = element("form", {}, parametersTable(operation.parameters, fields));
  let body = null;
  if (operation.requestBody) {
    const content = operation.requestBody.content["application/json"];
    const example = Object.values(content.examples || {})[0];
    body = element("textarea", { value: example ? JSON.stringify(example.value, null, 2) : "{}", spellcheck: false });
    body.setAttribute("aria-label", "Request body");
    form.append(body);
  }
  form.append(element("button", { textContent: "Send" }));
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    output.hidden = false;
    try { await send(method.toUpperCase(), path, fields, body, output); } catch (error) { output.textContent = String(error); }
  });
  section.append(form, output);
  return section;
};

const show = async () => {
  const described = await (await fetch("openapi.json")).json();
  document.getElementById("about").textContent = described.info.description;
  const list = element("ul");
  for (const [path, methods] of Object.entries(described.paths)) {
    for (const [method, operation] of Object.entries(methods)) {
      list.append(element("li", {}, element("a", { href: `#${operation.operationId}`, textContent: `${method.toUpperCase()} ${path}` })));
      document.getElementById("operations").append(operationSection(path, method, operation));
    }
  }
  document.getElementById("contents").append(list);
};

document.getElementById("credential").addEventListener("submit", (event) => event.preventDefault());
show();
