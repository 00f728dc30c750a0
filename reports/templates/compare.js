/* Two to six networks side by side, from data/networks.js. */
"use strict";
(function () {
  var MOST = 6;
  var byName = {};
  networks.all.forEach(function (one) { byName[one.name] = one; });
  var chosen = [];
  var byId = function (id) { return document.getElementById(id); };

  function human(value) {
    if (value === null || value === undefined) return "–";
    var units = [[1e12, "T"], [1e9, "G"], [1e6, "M"], [1e3, "K"]];
    for (var i = 0; i < units.length; i++) {
      if (Math.abs(value) >= units[i][0]) {
        return (value / units[i][0]).toPrecision(3) + "\u00a0" + units[i][1];
      }
    }
    return String(value);
  }

  function written(quantity, value) {
    if (value === null || value === undefined) return "–";
    if (quantity in { macs: 1, parameters: 1, activations: 1 }) return human(value);
    return (value * 1e3).toPrecision(3) + "\u00a0ms";
  }

  function times(value, first) {
    return value && first && value !== first
      ? " (" + (value / first).toPrecision(3) + "×)" : "";
  }

  function row(title, cells, kind) {
    var line = document.createElement("tr");
    var head = document.createElement("th");
    head.scope = "row";
    head.textContent = title;
    line.append(head);
    cells.forEach(function (text) {
      var cell = document.createElement("td");
      cell.className = kind || "number";
      cell.append(text);
      line.append(cell);
    });
    return line;
  }

  function header(some) {
    var line = document.createElement("tr");
    var corner = document.createElement("th");
    corner.scope = "col";
    corner.textContent = "Network";
    line.append(corner);
    some.forEach(function (one) {
      var cell = document.createElement("th");
      var link = document.createElement("a");
      cell.scope = "col";
      link.href = one.page;
      link.textContent = one.name;
      cell.append(link);
      line.append(cell);
    });
    return line;
  }

  function fill(some) {
    var first = some[0];
    var head = document.createElement("thead");
    var body = document.createElement("tbody");
    head.append(header(some));
    var each = function (value) { return some.map(value); };
    body.append(
      row("Family", each(function (n) { return n.family; }), "words"),
      row("Year", each(function (n) { return n.year === null ? "–" : String(n.year); })),
      row("Input", each(function (n) { return n.input; })),
      row("Depth", each(function (n) { return String(n.depth); })),
      row("Top-1, %", each(function (n) { return n.top1 === null ? "–" : String(n.top1); })));
    Object.keys(networks.labels).forEach(function (quantity) {
      body.append(row(networks.labels[quantity], each(function (n) {
        var value = n.costs[quantity];
        return written(quantity, value) + times(value, first.costs[quantity]);
      })));
    });
    body.append(row("Peak of activations", each(function (n) {
      return n.peak === null ? "–" : human(n.peak) + "B" + times(n.peak, first.peak);
    })));
    Object.keys(networks.labels).forEach(function (quantity) {
      body.append(row("Pareto front of " + networks.labels[quantity], each(function (n) {
        if (n.top1 === null) return "no accuracy recorded";
        if (n.front.indexOf(quantity) >= 0) return "● on it";
        return n.cheapest[quantity] ? "no; cheaper: " + n.cheapest[quantity] : "–";
      }), "words"));
    });
    byId("table").replaceChildren(head, body);
  }

  /* Formulas are sums of terms, a whole number times sizes: they subtract exactly. */
  function difference(one, other) {
    var counts = new Map();
    one.terms.forEach(function (term) { counts.set(term[1], BigInt(term[0])); });
    other.terms.forEach(function (term) {
      counts.set(term[1], (counts.get(term[1]) || 0n) - BigInt(term[0]));
    });
    var parts = [];
    counts.forEach(function (count, sizes) {
      if (count === 0n) return;
      var size = (count < 0n ? -count : count).toLocaleString("en");
      parts.push((count < 0n ? "− " : parts.length ? "+ " : "") + size
        + (sizes === "1" ? "" : "·" + sizes));
    });
    return parts.length ? parts.join(" ") : "0: the same formula";
  }

  function show() {
    var some = chosen.map(function (name) { return byName[name]; });
    byId("chosen").replaceChildren.apply(byId("chosen"), chosen.map(function (name) {
      var button = document.createElement("button");
      button.type = "button";
      button.className = "button";
      button.textContent = name + " ✕";
      button.setAttribute("aria-label", name + " ✕ remove");
      button.addEventListener("click", function () {
        chosen = chosen.filter(function (other) { return other !== name; });
        show();
        byId("add").focus();
      });
      return button;
    }));
    if (some.length) fill(some); else byId("table").replaceChildren();
    byId("formulas").replaceChildren.apply(byId("formulas"), formulas(some));
    byId("status").textContent = some.length < 2
      ? "Choose at least two networks." : some.length + " networks.";
    byId("add").disabled = chosen.length >= MOST;
    byId("add").value = "";
    remember();
  }

  function formulas(some) {
    var found = [];
    some.slice(1).forEach(function (other) {
      var term = document.createElement("dt");
      var value = document.createElement("dd");
      term.textContent = other.name + " − " + some[0].name + " =";
      value.textContent = difference(other, some[0]);
      found.push(term, value);
    });
    return found;
  }

  function remember() {
    var parts = new URLSearchParams();
    if (chosen.length) parts.set("networks", chosen.join(","));
    try { history.replaceState(null, "", "#?" + parts); } catch (error) { /* file: */ }
  }

  document.querySelector("[data-without-scripts]").hidden = true;
  byId("compare").hidden = false;
  byId("chooser").addEventListener("submit", function (event) { event.preventDefault(); });
  byId("add").addEventListener("change", function () {
    var name = byId("add").value;
    if (name && chosen.indexOf(name) < 0 && chosen.length < MOST) chosen.push(name);
    show();
  });
  var asked = new URLSearchParams(location.hash.replace(/^#\??/, "")).get("networks");
  var wanted = (asked ? asked.split(",") : ["resnet50", "mobilenet_v2", "efficientnet_b0"])
    .filter(function (name) { return byName[name]; });
  if (wanted.length < 2 && !asked) {
    wanted = networks.all.slice(0, 2).map(function (one) { return one.name; });
  }
  chosen = wanted.slice(0, MOST);
  show();
})();
