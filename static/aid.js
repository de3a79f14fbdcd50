// Small helps. Every page works without this file.
(function () {
  "use strict";
  var changed = null;
  var typed = new WeakSet(); // forms something was typed into
  var sure = null, asking = null; // the form whose sign-in was just looked at; the one whose is being looked at

  // Leaving a form with unsaved input asks first; sending it does not.
  document.addEventListener("input", function (event) {
    var form = event.target.form;
    if (form && form.hasAttribute("data-guard")) changed = form;
    if (form && form.getAttribute("role") !== "search") typed.add(form);
  });
  window.addEventListener("beforeunload", function (event) {
    if (changed && document.contains(changed)) { event.preventDefault(); event.returnValue = ""; }
  });

  document.addEventListener("submit", function (event) {
    var form = event.target;
    var button = event.submitter;
    if (shrinking(form)) { event.preventDefault(); waiting = { form: form, button: button }; return; }
    if (asking) { event.preventDefault(); return; }
    var question = (button && button.getAttribute("data-confirm")) || form.getAttribute("data-confirm");
    if (question && sure !== form && !window.confirm(question)) { event.preventDefault(); return; }
    if (form.method !== "post" || form.hasAttribute("data-many")) return;
    if (sure !== form && canAsk && form.requestSubmit && (typed.has(form) || form.hasAttribute("data-guard"))) {
      event.preventDefault();
      lookFirst(form, button);
      return;
    }
    changed = null;
    sendingSign(form);
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

  // What was typed is given up only when somebody is there to take it: the line is up, and the same person is signed
  // in. A sign-in in another window changes the token; the form gets the one that counts.
  var who = document.body.dataset;
  var canAsk = Boolean(window.fetch && who.session);
  var KEPT = "，没有提交。填的内容都还在这一页；";
  var SAID = {
    other: "这个浏览器里现在登录的是另一个账号" + KEPT + "请在新窗口退出，用原来的账号登录，再回来提交。",
    nobody: "登录已过期" + KEPT + "请在新窗口登录，再回来提交。",
    down: "连不上系统" + KEPT + "不要关闭，稍后再提交一次。",
  };
  // Resolves to "same" or one of these.
  window.aidSession = function () {
    return Promise.race([
      window.fetch(who.session, { cache: "no-store" }).then(function (answer) { return answer.json(); }),
      new Promise(function (resolve, reject) { window.setTimeout(reject, 15000); }),
    ]).then(function (said) {
      if (String(said.person) !== who.person) return said.person === null ? "nobody" : "other";
      document.querySelectorAll("input[name=csrfmiddlewaretoken]").forEach(function (each) { each.value = said.token; });
      return "same";
    }).catch(function () { return "down"; });
  };
  function lookFirst(form, button) {
    asking = form;
    window.aidSession().then(function (found) {
      asking = null;
      var place = form.querySelector("[data-not-sent]") || document.createElement("p");
      place.remove();
      if (found === "same") {
        sure = form;
        form.requestSubmit(button && button.form === form ? button : undefined);
        sure = null;
        return;
      }
      place.className = "alert alert-error";
      place.dataset.notSent = "";
      place.setAttribute("role", "alert");
      place.textContent = SAID[found];
      form.insertBefore(place, form.querySelector(":scope > .form-actions"));
      place.scrollIntoView({ block: "center" });
    });
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
    if (box.type === "file") { if (box.closest(".paper-input")) { addPapers(box); } else { checkSize(box); } return; }
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

  // Papers: photographs are made smaller before they are sent over a weak line, one after the other; what the camera
  // took joins what was chosen before. Without this script each file is sent as it is.
  var SIDE = 2000, ENOUGH = 560 * 1024;
  var waiting = null; // a form that was sent while its photographs were still being made smaller
  var originals = new WeakMap(); // a smaller photograph → bytes of the one it was made from
  function shrinking(form) { return form.querySelector && form.querySelector("[data-shrinking]"); }
  function addPapers(input) {
    var box = input.closest(".paper-input");
    var main = box.querySelector("[data-photographs]");
    var camera = input.hasAttribute("data-camera");
    if (!main || typeof DataTransfer === "undefined" || typeof createImageBitmap === "undefined") { if (!camera) checkSize(input); return; }
    var fresh = Array.prototype.slice.call(input.files);
    // Only the camera adds to what was chosen before: a file dialogue replaces, as it does everywhere.
    var kept = camera ? (box.aidFiles || Array.prototype.slice.call(main.files)) : [];
    if (camera && !main.multiple) kept = [];
    if (camera) input.value = "";
    var most = Number(main.getAttribute("data-photographs"));
    var turn = box.aidTurn = (box.aidTurn || 0) + 1;
    box.setAttribute("data-shrinking", "");
    var done = [];
    (function next() {
      if (turn !== box.aidTurn) return; // chosen anew meanwhile
      if (done.length < fresh.length) {
        sayChosen(box, "正在把第 " + (done.length + 1) + " 张照片缩小，共 " + fresh.length + " 张", true);
        shrunk(fresh[done.length]).then(function (file) { done.push(file); next(); });
        return;
      }
      var all = kept.concat(done);
      var over = all.length - most;
      if (over > 0) all = all.slice(0, most);
      var list = new DataTransfer();
      all.forEach(function (file) { list.items.add(file); });
      main.files = list.files;
      box.aidFiles = all;
      box.removeAttribute("data-shrinking");
      tellChosen(box, main, all, over > 0 ? "最多 " + most + " 张，多出的 " + over + " 张没有留下。" : "");
      sendWaiting();
    })();
  }
  function sendWaiting() {
    if (!waiting || shrinking(waiting.form)) return;
    var held = waiting;
    waiting = null;
    if (held.form.requestSubmit) { held.form.requestSubmit(held.button || undefined); } else { held.form.submit(); }
  }
  function shrunk(file) {
    if (!/^image\/(jpeg|png|webp)$/.test(file.type) || file.size <= 200 * 1024) return Promise.resolve(file);
    return createImageBitmap(file).then(function (picture) {
      return smaller(picture, SIDE, 0.8).then(function (blob) {
        picture.close();
        if (!blob || blob.size >= file.size) return file;
        var made = new File([blob], file.name.replace(/\.[^.]*$/, "") + ".jpg", { type: "image/jpeg" });
        originals.set(made, file.size);
        return made;
      });
    }).catch(function () { return file; }); // the server says what is wrong with it
  }
  // Less sharpness first, then fewer dots, until it is small enough or would no longer be legible.
  function smaller(picture, side, quality) {
    var scale = Math.min(1, side / Math.max(picture.width, picture.height));
    var canvas = document.createElement("canvas");
    canvas.width = Math.round(picture.width * scale);
    canvas.height = Math.round(picture.height * scale);
    var paper = canvas.getContext("2d");
    paper.fillStyle = "#fff";
    paper.fillRect(0, 0, canvas.width, canvas.height);
    paper.imageSmoothingQuality = "high";
    paper.drawImage(picture, 0, 0, canvas.width, canvas.height);
    return new Promise(function (resolve) { canvas.toBlob(resolve, "image/jpeg", quality); }).then(function (blob) {
      if (!blob || blob.size <= ENOUGH) return blob;
      if (quality > 0.65) return smaller(picture, side, quality - 0.1);
      return side > 1600 ? smaller(picture, side - 200, 0.6) : blob;
    });
  }
  function tellChosen(box, main, files, more) {
    if (!files.length) { sayChosen(box, "", false); return; }
    var bytes = 0, before = 0, tooBig = null, limit = Number(main.getAttribute("data-max-bytes"));
    files.forEach(function (file) {
      bytes += file.size;
      before += originals.get(file) || file.size;
      if (limit && file.size > limit) tooBig = file;
    });
    sayChosen(box, "已选 " + files.length + " 个文件，共 " + megabytes(bytes) + (before > bytes ? "（原来 " + megabytes(before) + "，已缩小）" : "") + "。" + more, false);
    main.setCustomValidity(tooBig ? "文件超过 " + Math.floor(limit / 1048576) + " MB，请压缩或拆分后再选。" : "");
    if (tooBig) { main.reportValidity(); return; }
    var again = document.createElement("button");
    again.type = "button";
    again.className = "button button-small button-quiet";
    again.textContent = "全部去掉重选";
    again.addEventListener("click", function () {
      box.aidFiles = [];
      box.aidTurn += 1;
      main.value = "";
      main.setCustomValidity("");
      sayChosen(box, "", false);
      main.focus();
    });
    box.querySelector("[data-chosen]").appendChild(again);
  }
  function sayChosen(box, sentence, busy) {
    var place = box.querySelector("[data-chosen]");
    place.textContent = sentence;
    if (!busy) return;
    var bar = document.createElement("progress");
    bar.setAttribute("aria-label", sentence);
    place.appendChild(bar);
  }
  function sendingSign(form) {
    form.querySelectorAll(".paper-input").forEach(function (box) {
      var main = box.querySelector("[data-photographs]");
      var bytes = 0;
      Array.prototype.forEach.call(main.files, function (file) { bytes += file.size; });
      if (bytes) sayChosen(box, "正在上传，共 " + megabytes(bytes) + "，请不要关闭页面。", true);
    });
  }
  function megabytes(bytes) {
    return bytes < 104858 ? Math.max(1, Math.round(bytes / 1024)) + " KB" : (bytes / 1048576).toFixed(1) + " MB";
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
