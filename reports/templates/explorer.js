/* Sliders over a network's formulas. Each network's are a script of their own. */
"use strict";
var costmodel = (function () {
  var SPACE = "\u00a0";
  var known = {};
  var waiting = null;
  var net = null;
  var setting = {};
  var byId = function (id) { return document.getElementById(id); };

  /* A script of formulas/ calls this with what it knows. */
  function add(found) {
    known[found.file] = found;
    if (waiting === found.file) open(found);
  }

  function load(file) {
    waiting = file;
    if (known[file]) return open(known[file]);
    var script = document.createElement("script");
    script.src = "formulas/" + file + ".js";
    script.onerror = function () { say("The formulas of " + file + " could not be loaded."); };
    document.head.append(script);
  }

  function say(text) { byId("status").textContent = text; }

  /* The arguments of the formulas: height and width are one resolution where both are free. */
  function values(at) {
    return net.symbols.map(function (symbol) {
      return symbol === "H" || symbol === "W" ? at.R : at[symbol];
    });
  }

  function cost(at) { return net.cost.apply(null, values(at)); }

  /* Legal: every count comes out whole, and the branches fit. */
  function legal(at) {
    return net.whole.apply(null, values(at)).every(function (count) {
      return count > 0 && Math.abs(count - Math.round(count)) < 1e-6;
    });
  }

  function human(value) {
    if (value === 0) return "0";
    var units = [[1e12, "T"], [1e9, "G"], [1e6, "M"], [1e3, "K"], [1, ""]];
    for (var i = 0; i < units.length; i++) {
      if (Math.abs(value) >= units[i][0]) {
        var scaled = value / units[i][0];
        if (!units[i][1]) return String(Math.round(scaled * 1000) / 1000);
        return scaled.toPrecision(3) + SPACE + units[i][1];
      }
    }
    return value.toPrecision(3);
  }

  function written(quantity, value) {
    if (quantity.unit !== "s") return human(value) + (quantity.unit === "B" ? "B" : "");
    return (value * 1e3).toPrecision(3) + SPACE + "ms";
  }

  /* Read a budget: 300M, 1.5 G or 10ms. */
  function amount(text, unit) {
    var found = /^\s*([\d.]+(?:e[+-]?\d+)?)\s*([kKMGT]?)(m?s|B)?\s*$/.exec(text);
    if (!found || !isFinite(Number(found[1]))) return null;
    var powers = { "": 1, k: 1e3, K: 1e3, M: 1e6, G: 1e9, T: 1e12 };
    var value = Number(found[1]) * powers[found[2]];
    if (unit === "s") return found[3] === "s" ? value : value / 1e3;
    return value;
  }

  /* --- controls --- */

  function open(found) {
    net = found;
    waiting = null;
    var asked = fromAddress();
    setting = {};
    net.options.forEach(function (option) {
      var wanted = asked.network === net.file ? Number(asked[option.symbol]) : NaN;
      setting[option.symbol] = isFinite(wanted) && asked[option.symbol] !== undefined
        ? nearest(option, wanted) : option.value;
    });
    byId("network").value = net.file;
    byId("sliders").replaceChildren.apply(byId("sliders"), net.options.map(slider));
    choices("along", net.options.map(function (option) {
      return [option.symbol, option.label];
    }), asked.along);
    choices("quantity", Object.keys(net.quantities).map(function (name) {
      return [name, net.quantities[name].label];
    }), asked.quantity);
    if (asked.budget !== undefined) byId("budget").value = asked.budget;
    show();
  }

  function choices(id, pairs, wanted) {
    var select = byId(id);
    var before = wanted || select.value;
    select.replaceChildren.apply(select, pairs.map(function (pair) {
      return new Option(pair[1], pair[0]);
    }));
    var has = pairs.some(function (pair) { return pair[0] === before; });
    select.value = has ? before : pairs[0][0];
  }

  function slider(option) {
    var row = document.createElement("p");
    var label = document.createElement("label");
    var input = document.createElement("input");
    var output = document.createElement("output");
    input.type = "range";
    input.id = "option-" + option.symbol;
    input.min = 0;
    input.max = option.steps.length - 1;
    input.step = 1;
    input.value = option.steps.indexOf(setting[option.symbol]);
    label.htmlFor = input.id;
    label.textContent = option.label;
    output.htmlFor = input.id;
    function told() {
      output.textContent = written_step(setting[option.symbol]);
      input.setAttribute("aria-valuetext", output.textContent);
    }
    input.addEventListener("input", function () {
      setting[option.symbol] = option.steps[Number(input.value)];
      told();
      show();
    });
    told();
    row.append(label, " ", input, " ", output);
    return row;
  }

  function written_step(value) { return String(Math.round(value * 1e5) / 1e5); }

  function nearest(option, wanted) {
    return option.steps.reduce(function (best, step) {
      return Math.abs(step - wanted) < Math.abs(best - wanted) ? step : best;
    });
  }

  function usual() {
    var own = {};
    net.options.forEach(function (option) { own[option.symbol] = option.value; });
    return own;
  }

  /* --- what is shown --- */

  function show() {
    var now = cost(setting);
    var own = cost(usual());
    var rows = Object.keys(net.quantities).map(function (name) {
      var quantity = net.quantities[name];
      var row = document.createElement("tr");
      var head = document.createElement("th");
      head.scope = "row";
      head.textContent = quantity.label;
      row.append(head);
      [written(quantity, now[name]), written(quantity, own[name]),
       (now[name] / own[name]).toPrecision(3) + "×"].forEach(function (text, place) {
        var cell = document.createElement("td");
        cell.className = "number";
        cell.textContent = text;
        if (place === 0) cell.title = String(now[name]);
        row.append(cell);
      });
      return row;
    });
    byId("results").replaceChildren.apply(byId("results"), rows);
    say(legal(setting) ? "" : "This setting is not legal: a number of channels, or the "
      + "height or width of a feature map, is not a positive whole number.");
    plot();
    remember();
  }

  function series() {
    var along = byId("along").value;
    var name = byId("quantity").value;
    var option = net.options.find(function (one) { return one.symbol === along; });
    var at = Object.assign({}, setting);
    var base = cost(setting)[name];
    var points = option.steps.map(function (step) {
      at[along] = step;
      var share = step / setting[along];
      return { x: step, y: cost(at)[name], legal: legal(at),
               law: base * Math.pow(share, option.power) };
    });
    return { option: option, quantity: net.quantities[name], points: points };
  }

  function plot() {
    var found = series();
    var budget = amount(byId("budget").value, found.quantity.unit);
    var points = found.points.filter(function (p) { return isFinite(p.y); });
    byId("plot").replaceChildren(drawing(found, points, budget));
    answer(found, points, budget);
  }

  function answer(found, points, budget) {
    if (budget === null) {
      byId("answer").textContent = byId("budget").value.trim()
        ? "The budget is no number; write for instance 300M, or 10ms." : "";
      return;
    }
    var fitting = points.filter(function (p) { return p.legal && p.y <= budget; });
    var best = fitting[fitting.length - 1];
    byId("answer").textContent = best
      ? "The largest legal " + found.option.label + " within the budget is "
        + written_step(best.x) + ": " + written(found.quantity, best.y) + "."
      : "No legal " + found.option.label + " is within the budget.";
  }

  function element(name, attributes, text) {
    var made = document.createElementNS("http://www.w3.org/2000/svg", name);
    Object.keys(attributes).forEach(function (key) {
      made.setAttribute(key, attributes[key]);
    });
    if (text !== undefined) made.textContent = text;
    return made;
  }

  /* Round numbers between two ends: 1, 2 or 5 times a power of ten apart. */
  function ticks(low, most) {
    var span = (most - low) || 1;
    var power = Math.pow(10, Math.floor(Math.log10(span / 4)));
    var step = [1, 2, 5, 10].map(function (n) { return n * power; })
      .find(function (n) { return span / n <= 6; });
    var found = [];
    for (var n = Math.ceil(low / step); n * step <= most * (1 + 1e-9); n++) {
      found.push(n * step);
    }
    return found;
  }

  function drawing(found, points, budget) {
    var wide = 720, high = 360, left = 70, below = 44;
    var xs = points.map(function (p) { return p.x; });
    var top = Math.max.apply(null, points.map(function (p) { return p.y; }));
    if (budget !== null && budget < 2 * top) top = Math.max(top, budget);
    var low = Math.min.apply(null, xs), most = Math.max.apply(null, xs);
    var x = function (value) {
      return left + (wide - left - 12) * (value - low) / (most - low || 1);
    };
    var y = function (value) { return (high - below) * (1 - value / (top || 1)) + 8; };
    var svg = element("svg", { viewBox: "0 0 " + wide + " " + high, role: "img",
      "aria-label": found.quantity.label + " against " + found.option.label });
    ticks(0, top).forEach(function (level) {
      svg.append(
        element("line", { x1: left, x2: wide - 12, y1: y(level), y2: y(level), "class": "grid" }),
        element("text", { x: left - 6, y: y(level) + 4, "text-anchor": "end" },
          written(found.quantity, level)));
    });
    ticks(low, most).forEach(function (place) {
      svg.append(element("text", { x: x(place), y: high - below + 26,
        "text-anchor": "middle" }, written_step(place)));
    });
    svg.append(element("text", { x: (left + wide) / 2, y: high - 2,
      "text-anchor": "middle" }, found.option.label));
    svg.append(element("path", { "class": "law", d: line(points, "law") }));
    svg.append(element("path", { "class": "exact", d: stair(points) }));
    if (budget !== null && budget <= top) {
      svg.append(element("line", { x1: left, x2: wide - 12, y1: y(budget), y2: y(budget),
        "class": "budget" }));
    }
    var here = setting[found.option.symbol];
    var now = cost(setting)[byId("quantity").value];
    svg.append(element("circle", { cx: x(here), cy: y(now), r: 5, "class": "here" }));
    return svg;

    function line(some, key) {
      return some.filter(function (p) { return p[key] <= top; }).map(function (p, place) {
        return (place ? "L" : "M") + x(p.x).toFixed(1) + "," + y(p[key]).toFixed(1);
      }).join("");
    }

    function stair(some) {
      return some.map(function (p, place) {
        return (place ? "H" + x(p.x).toFixed(1) + "V" : "M" + x(p.x).toFixed(1) + ",")
          + y(p.y).toFixed(1);
      }).join("");
    }
  }

  /* --- the address --- */

  function fromAddress() {
    return Object.fromEntries(new URLSearchParams(location.hash.replace(/^#\??/, "")));
  }

  function remember() {
    var parts = new URLSearchParams({ network: net.file });
    net.options.forEach(function (option) {
      if (setting[option.symbol] !== option.value) parts.set(option.symbol, setting[option.symbol]);
    });
    parts.set("quantity", byId("quantity").value);
    parts.set("along", byId("along").value);
    if (byId("budget").value) parts.set("budget", byId("budget").value);
    try { history.replaceState(null, "", "#?" + parts); } catch (error) { /* file: */ }
  }

  document.addEventListener("DOMContentLoaded", function () {
    byId("explorer").hidden = false;
    document.querySelectorAll("[data-without-scripts]").forEach(function (part) {
      part.hidden = true;
    });
    byId("network").addEventListener("change", function () {
      load(byId("network").value);
    });
    ["quantity", "along", "budget"].forEach(function (id) {
      byId(id).addEventListener("input", function () { plot(); remember(); });
    });
    byId("controls").addEventListener("submit", function (event) { event.preventDefault(); });
    var options = Array.from(byId("network").options).map(function (o) { return o.value; });
    var asked = fromAddress().network;
    var first = options.indexOf("mobilenet_v1") >= 0 ? "mobilenet_v1" : options[0];
    load(options.indexOf(asked) >= 0 ? asked : first);
  });

  /* Evaluate something for a network that need not be the one that is shown. */
  function asked(what, file, at) {
    var shown = net;
    net = known[file];
    var found = what(at);
    net = shown;
    return found;
  }

  /* The formulas of a network, and its options: for the browser's console. */
  return {
    add: add,
    options: function (file) { return known[file].options; },
    isLegal: function (file, at) { return asked(legal, file, at); },
    evaluate: function (file, at) { return asked(cost, file, at); }
  };
})();
