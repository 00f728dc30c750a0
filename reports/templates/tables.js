/* Tables that sort and filter. Without scripts they are complete, in their own order. */
"use strict";
(function () {
  /* A cell's value: the exact number where it has one, else its text. */
  function value(cell) {
    var data = cell.querySelector("data");
    var text = data ? data.value : cell.textContent.trim();
    if (text === "–" || text === "") return null;
    var number = Number(text.replace(/[,\s]/g, "").replace(/²$/, ""));
    return Number.isNaN(number) ? text.toLowerCase() : number;
  }

  /* Missing values come last, whichever way a column is sorted. */
  function compare(one, other, sign) {
    if (one === null || other === null) return (one === null) - (other === null);
    if (typeof one !== typeof other) return typeof one === "number" ? -1 : 1;
    return sign * (one < other ? -1 : one > other ? 1 : 0);
  }

  function enhance(table) {
    var body = table.tBodies[0];
    var rows = Array.from(body.rows);
    var heads = Array.from(table.tHead.rows[0].cells);
    var state = { column: -1, order: "", filter: "" };

    function sort(column, order) {
      state.column = column;
      state.order = order;
      var sign = order === "descending" ? -1 : 1;
      var sorted = rows.map(function (row, place) {
        return { row: row, key: value(row.cells[column]), place: place };
      });
      sorted.sort(function (a, b) {
        return compare(a.key, b.key, sign) || a.place - b.place;
      });
      sorted.forEach(function (item) { body.appendChild(item.row); });
      heads.forEach(function (head, place) {
        if (place === column) head.setAttribute("aria-sort", order);
        else head.removeAttribute("aria-sort");
      });
    }

    function filter(text) {
      state.filter = text;
      var words = text.toLowerCase().split(/\s+/).filter(Boolean);
      var shown = 0;
      rows.forEach(function (row) {
        var content = row.textContent.toLowerCase();
        row.hidden = !words.every(function (word) { return content.includes(word); });
        shown += row.hidden ? 0 : 1;
      });
      status.textContent = shown + " of " + rows.length + " rows";
    }

    /* The address tells what is shown, so that it can be passed on. */
    function remember() {
      var parts = new URLSearchParams();
      if (state.column >= 0) {
        parts.set("sort", heads[state.column].textContent.trim());
        parts.set("order", state.order);
      }
      if (state.filter) parts.set("filter", state.filter);
      var address = parts.toString() ? "#?" + parts : location.pathname;
      try { history.replaceState(null, "", address); } catch (error) { /* file: */ }
    }

    heads.forEach(function (head, column) {
      var button = document.createElement("button");
      button.type = "button";
      button.textContent = head.textContent;
      head.replaceChildren(button);
      button.addEventListener("click", function () {
        var first = head.classList.contains("number") ? "descending" : "ascending";
        var second = first === "descending" ? "ascending" : "descending";
        sort(column, head.getAttribute("aria-sort") === first ? second : first);
        remember();
      });
    });

    var label = document.createElement("label");
    var box = document.createElement("input");
    var status = document.createElement("span");
    label.className = "filter";
    box.type = "search";
    status.setAttribute("role", "status");
    label.append("Filter rows: ", box);
    var bar = document.createElement("p");
    bar.append(label, " ", status);
    var place = table.closest(".box") || table;
    place.before(bar);
    box.addEventListener("input", function () { filter(box.value); remember(); });

    var asked = new URLSearchParams(location.hash.replace(/^#\??/, ""));
    var wanted = heads.findIndex(function (head) {
      return head.textContent.trim() === asked.get("sort");
    });
    if (wanted >= 0) {
      sort(wanted, asked.get("order") === "ascending" ? "ascending" : "descending");
    }
    box.value = location.hash.startsWith("#?") ? asked.get("filter") || "" : "";
    filter(box.value);
  }

  document.querySelectorAll("table.sortable").forEach(enhance);
})();
