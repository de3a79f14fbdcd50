// Small helps. Every page works without this file.
(function () {
  "use strict";
  var changed = null;

  // Leaving a form with unsaved input asks first; sending it does not.
  document.addEventListener("input", function (event) {
    var form = event.target.form;
    if (form && form.hasAttribute("data-guard")) changed = form;
  });
  window.addEventListener("beforeunload", function (event) {
    if (changed && document.contains(changed)) { event.preventDefault(); event.returnValue = ""; }
  });

  document.addEventListener("submit", function (event) {
    var form = event.target;
    var button = event.submitter;
    var question = (button && button.getAttribute("data-confirm")) || form.getAttribute("data-confirm");
    if (question && !window.confirm(question)) { event.preventDefault(); return; }
    if (form.method !== "post" || form.hasAttribute("data-many")) return;
    changed = null;
    // A second click must not send twice. After the data is collected, or the button's own value would be lost.
    window.setTimeout(function () {
      form.querySelectorAll("button[type=submit]").forEach(function (each) {
        each.disabled = true;
        each.setAttribute("data-sent", "");
      });
    }, 0);
    // Back again if the answer was a file and the page stays.
    window.setTimeout(release, 8000);
  });
  window.addEventListener("pageshow", release);
  function release() {
    document.querySelectorAll("[data-sent]").forEach(function (each) { each.disabled = false; each.removeAttribute("data-sent"); });
  }

  // "/" goes to the search field (on a phone it is in the menu), Esc closes the menu.
  document.addEventListener("keydown", function (event) {
    var typing = /^(INPUT|TEXTAREA|SELECT)$/.test(event.target.tagName);
    if (event.key === "/" && !typing && !event.ctrlKey && !event.metaKey && !event.altKey) {
      var search = firstSeen("[data-search], input[type=search]");
      if (search) { event.preventDefault(); search.focus(); search.select(); }
    }
    if (!event.altKey && (event.key === "ArrowUp" || event.key === "ArrowDown")) moveInResults(event);
    if (event.key === "Escape") {
      document.querySelectorAll("details.menu[open]").forEach(function (menu) {
        menu.open = false;
        menu.querySelector("summary").focus();
      });
    }
    if (typing && (event.key === "ArrowUp" || event.key === "ArrowDown")) moveInGrid(event);
  });
  document.addEventListener("click", function (event) {
    document.querySelectorAll("details.menu[open]").forEach(function (menu) {
      if (!menu.contains(event.target)) menu.open = false;
    });
    var copy = event.target.closest("[data-copy]");
    if (copy && navigator.clipboard) {
      navigator.clipboard.writeText(copy.getAttribute("data-copy")).then(function () { copy.textContent = "已复制"; });
    }
    if (event.target.closest("[data-print]")) window.print();
  });

  function firstSeen(selector) {
    return Array.prototype.find.call(document.querySelectorAll(selector), function (each) { return each.offsetParent !== null; });
  }

  // In [data-results], up and down go from link to link; from the search field down to the first.
  function moveInResults(event) {
    var links = Array.prototype.slice.call(document.querySelectorAll("[data-results] a[href]"));
    var at = links.indexOf(event.target);
    var fromField = at < 0 && event.key === "ArrowDown" && event.target.hasAttribute("data-search");
    if (!links.length || (at < 0 && !fromField)) return;
    event.preventDefault();
    if (at === 0 && event.key === "ArrowUp") { firstSeen("[data-search]").focus(); return; }
    var next = links[at + (event.key === "ArrowUp" ? -1 : 1)];
    if (next) next.focus();
  }

  // In a table marked data-grid, up and down go to the same column of the next row, as in a spreadsheet.
  function moveInGrid(event) {
    var cell = event.target.closest("table[data-grid] td");
    if (!cell || event.target.tagName === "SELECT" || event.target.tagName === "TEXTAREA" || event.target.type === "radio") return;
    var row = cell.parentNode[event.key === "ArrowUp" ? "previousElementSibling" : "nextElementSibling"];
    var target = row && row.cells[cell.cellIndex] && row.cells[cell.cellIndex].querySelector("input");
    if (target) { event.preventDefault(); target.focus(); if (target.select) target.select(); }
  }

  // <input type=checkbox data-select-all="name"> ticks all of that name; [data-selected-count="name"] says how many.
  document.addEventListener("change", function (event) {
    var box = event.target;
    if (box.type === "file") { checkSize(box); return; }
    if (box.type !== "checkbox") return;
    var all = box.getAttribute("data-select-all");
    if (all) boxesNamed(all).forEach(function (each) { if (!each.disabled) each.checked = box.checked; });
    countSelected(all || box.name);
  });
  function boxesNamed(name) { return document.querySelectorAll('input[type=checkbox][name="' + name + '"]'); }
  function countSelected(name) {
    var count = 0;
    boxesNamed(name).forEach(function (each) {
      if (each.checked) count += 1;
      var row = each.closest("tr");
      if (row) row.classList.toggle("is-chosen", each.checked);
    });
    document.querySelectorAll('[data-selected-count="' + name + '"]').forEach(function (label) {
      label.textContent = "已选 " + count + " 人";
    });
    document.querySelectorAll('[data-select-all="' + name + '"]').forEach(function (each) {
      var total = boxesNamed(name).length;
      each.checked = count > 0 && count === total;
      each.indeterminate = count > 0 && count < total;
    });
  }

  // A file that the server would refuse for its size is named before it is sent over a slow line.
  function checkSize(input) {
    var limit = Number(input.getAttribute("data-max-bytes"));
    var file = input.files[0];
    var tooBig = Boolean(limit && file && file.size > limit);
    input.setCustomValidity(tooBig ? "文件超过 " + Math.floor(limit / 1048576) + " MB，请压缩或拆分后再选。" : "");
    if (tooBig) input.reportValidity();
  }

  // A table that fits leaves scrolling to the page, so that its head sticks under the top strip;
  // one that does not scrolls in its own window, which the keyboard can reach.
  function fitTables() {
    document.querySelectorAll(".table-wrap").forEach(function (wrap) {
      wrap.classList.remove("fits", "is-wide");
      var wide = wrap.scrollWidth > wrap.clientWidth + 1;
      wrap.classList.add(wide ? "is-wide" : "fits");
      if (wide) { wrap.tabIndex = 0; } else { wrap.removeAttribute("tabindex"); }
    });
  }

  function start() {
    var summary = document.querySelector("[data-error-summary]");
    if (summary) summary.focus();
    var result = document.querySelector("[data-results] a[href]");
    if (result && !summary) result.focus();
    document.querySelectorAll("[data-select-all]").forEach(function (each) { countSelected(each.getAttribute("data-select-all")); });
    fitTables();
  }
  window.addEventListener("resize", fitTables);
  document.addEventListener("htmx:afterSwap", start);
  start();
})();
