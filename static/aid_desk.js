// The class teacher's list: every row is saved as it is typed, and filled in without a mouse. Without this file the
// page is one form that saves and hands in all rows together.
(function () {
  "use strict";
  var form = document.querySelector("[data-class-desk]");
  if (!form || !window.fetch || !form.requestSubmit) return;
  var base = form.getAttribute("data-class-desk");
  var token = form.querySelector("input[name=csrfmiddlewaretoken]").value;
  var place = form.querySelector("[data-desk-state]");
  var submit = form.querySelector("[data-desk-submit]");
  var PAUSE = 1500, AGAIN = 4000, AT_ONCE = 2;
  var leaving = false, wish = null, going = 0, queue = [], told = 0;

  var rows = Array.prototype.map.call(form.querySelectorAll("tr[data-row]"), function (line) {
    var key = line.getAttribute("data-row");
    var row = {
      line: line, key: key,
      box: line.querySelector("input[name=apply]"),
      tier: line.querySelector("select"),
      reason: line.querySelector("input[name='reason_" + key + "']"),
      seen: line.querySelector("input[name='seen_" + key + "']"),
      state: line.querySelector("[data-row-state]"),
      timer: 0, sent: null, held: false, failed: false, down: false,
    };
    // What the record says, as far as this page knows: a browser that fills fields again does not change that.
    row.kept = { apply: row.box.defaultChecked, tier: row.tier ? startOf(row.tier) : "", reason: row.reason.defaultValue };
    // What could not be kept the last time stands in the fields again, and waits for a hand.
    if (line.hasAttribute("data-unsaved")) { row.kept = { apply: null }; row.failed = true; }
    return row;
  });
  if (!rows.length) return;
  function startOf(select) {
    var first = Array.prototype.filter.call(select.options, function (each) { return each.defaultSelected; })[0];
    return first ? first.value : select.options[0].value;
  }
  function now(row) { return { apply: row.box.checked, tier: row.tier ? row.tier.value : "", reason: row.reason.value.trim() }; }
  function same(one, two) {
    return one.apply === two.apply && (!one.apply || (one.tier === two.tier && one.reason === two.reason));
  }
  function rowOf(element) {
    var line = element.closest("tr[data-row]");
    return line && rows.filter(function (row) { return row.line === line; })[0];
  }

  // --- saving ---------------------------------------------------------------------------------------

  function later(row, pause) {
    window.clearTimeout(row.timer);
    row.timer = window.setTimeout(function () { save(row); }, pause);
  }
  function save(row) {
    window.clearTimeout(row.timer);
    row.timer = 0;
    if (row.sent || row.held || queue.indexOf(row) >= 0) return; // what is typed meanwhile goes when this is answered
    if (same(now(row), row.kept)) { if (row.failed) say(row, "", ""); return; }
    queue.push(row);
    next();
  }
  function next() {
    while (going < AT_ONCE && queue.length) send(queue.shift(), now);
    summary();
  }
  function send(row, what) {
    row.sent = row.sent || what(row);
    going += 1;
    say(row, "正在保存", "");
    var body = new URLSearchParams();
    if (row.sent.apply) body.set("apply", "on");
    body.set("tier", row.sent.tier);
    body.set("reason", row.sent.reason);
    body.set("seen", row.seen.value);
    window.fetch(base + row.key + "/", {
      method: "POST", body: body, credentials: "same-origin", redirect: "manual", keepalive: true,
      headers: { "X-CSRFToken": token, "Accept": "application/json" },
    }).then(function (answer) {
      if (answer.type === "opaqueredirect") return { status: 401, said: {} };
      if (!/json/.test(answer.headers.get("Content-Type") || "")) return { status: answer.status < 500 ? 400 : 500, said: {} };
      return answer.json().then(function (said) { return { status: answer.status, said: said }; });
    }, function () { return { status: 0, said: {} }; }).then(function (answer) {
      going -= 1;
      heard(row, answer.status, answer.said);
      next();
      if (wish && !going) handIn();
    });
  }
  function heard(row, status, said) {
    var sent = row.sent;
    if (status === 0 || status >= 500) {
      // The same once more, until it is answered: whether it arrived is not known.
      row.down = true;
      wish = null; // handing in would lose the page
      say(row, "", "网络不通，还没有保存，会自动再试");
      window.setTimeout(function () { if (row.sent && !leaving) send(row, now); }, AGAIN);
      return;
    }
    row.sent = null;
    row.down = false;
    if (status === 200) {
      row.seen.value = said.seen;
      row.kept = sent;
      told += 1;
      say(row, said.state ? said.state + " 已保存" : "已取消", "");
      if (!same(now(row), sent)) later(row, 0);
    } else if (status === 409) {
      row.held = true;
      say(row, "", said.said);
      choice(row, said);
    } else if (status === 401) {
      say(row, "", "登录已过期，没有保存。请在新窗口重新登录，再回来改动这一行，填的内容都还在。");
    } else {
      say(row, "", said.said || "没有保存。请刷新页面后再填。");
    }
  }
  function choice(row, said) {
    [["用已保存的", false], ["用我填的", true]].forEach(function (each) {
      var button = document.createElement("button");
      button.type = "button";
      button.className = "button button-small";
      button.textContent = each[0];
      button.addEventListener("click", function () {
        row.held = false;
        row.seen.value = said.seen;
        row.kept = { apply: said.apply, tier: said.tier, reason: said.reason };
        if (each[1]) { save(row); } else { take(row, row.kept); say(row, said.state || "没有勾选", ""); }
        row.box.focus();
        summary();
      });
      row.state.appendChild(button);
    });
  }
  function take(row, what) {
    row.box.checked = what.apply;
    if (row.tier) row.tier.value = what.tier;
    row.reason.value = what.reason;
    row.box.dispatchEvent(new Event("change", { bubbles: true }));
  }
  function say(row, well, ill) {
    row.failed = Boolean(ill);
    row.state.textContent = well;
    if (!ill) return;
    var words = document.createElement("span");
    words.className = "remark";
    words.textContent = ill;
    row.state.appendChild(words);
  }
  function unsaved() {
    return rows.filter(function (row) { return row.sent || row.timer || row.held || row.failed || !same(now(row), row.kept); });
  }
  function summary() {
    var open = unsaved().length;
    var down = rows.some(function (row) { return row.down; }) ? "网络不通，填的内容还在，恢复后自动保存；请先不要提交或关闭页面。" : "";
    place.textContent = open ? "还有 " + open + " 行没有保存。" + down : told ? "填的内容都已保存。" : "";
  }

  form.addEventListener("input", function (event) {
    var row = rowOf(event.target);
    if (!row || event.target !== row.reason) return;
    if (row.reason.value.trim() && !row.box.checked) tick(row);
    later(row, PAUSE);
    summary();
  });
  form.addEventListener("change", function (event) {
    if (event.target.hasAttribute("data-select-all")) {
      window.setTimeout(function () { rows.forEach(function (row) { save(row); }); }, 0); // when they are all ticked
      return;
    }
    var row = rowOf(event.target);
    if (!row) return;
    if (event.target === row.tier && row.tier.value && !row.box.checked) tick(row);
    later(row, 0);
  });
  function tick(row) {
    row.box.checked = true;
    row.box.dispatchEvent(new Event("change", { bubbles: true }));
  }

  // --- handing in and leaving -----------------------------------------------------------------------

  // What is on its way must have arrived first, or the list would look as if somebody else had changed it.
  form.addEventListener("submit", function (event) {
    rows.forEach(function (row) { window.clearTimeout(row.timer); row.timer = 0; });
    queue = []; // the list itself carries what was not sent yet
    var down = rows.some(function (row) { return row.down; });
    if (!going && !down) return;
    event.preventDefault();
    event.stopPropagation();
    if (down) { summary(); place.scrollIntoView({ block: "center" }); return; }
    wish = event.submitter || submit;
  });
  function handIn() {
    var button = wish;
    wish = null;
    form.requestSubmit(button);
  }
  // After everybody else has had a say (a question that was answered with no).
  window.addEventListener("submit", function (event) {
    if (event.target === form) leaving = !event.defaultPrevented;
  });
  window.addEventListener("beforeunload", function (event) {
    if (leaving || !unsaved().length) return;
    rows.forEach(function (row) { save(row); });
    event.preventDefault();
    event.returnValue = "";
  });
  document.addEventListener("visibilitychange", function () {
    if (document.visibilityState === "hidden" && !leaving) rows.forEach(function (row) { save(row); });
  });
  window.addEventListener("pageshow", function (event) {
    leaving = false;
    if (event.persisted) window.location.reload(); // an old list must not be filled in
  });

  // --- without a mouse ------------------------------------------------------------------------------

  function controls(row) { return [row.box, row.tier, row.reason].filter(Boolean); }
  function go(row, step, column) {
    var other = rows[rows.indexOf(row) + step];
    if (!other) return;
    var target = controls(other)[column];
    target.focus();
    if (target.select) target.select();
    target.scrollIntoView({ block: "nearest" });
  }
  document.addEventListener("keydown", function (event) {
    if (event.isComposing || event.altKey || event.metaKey) return;
    var row = form.contains(event.target) ? rowOf(event.target) : null;
    if (event.ctrlKey) {
      if (event.key === "Enter" && submit && form.contains(event.target)) { event.preventDefault(); submit.click(); }
      return;
    }
    if (event.key === "?" && event.target.type !== "text") {
      var keys = form.querySelector("[data-desk-keys]");
      if (!/^(TEXTAREA|INPUT)$/.test(event.target.tagName) || event.target.type === "checkbox") { keys.open = !keys.open; event.preventDefault(); }
      return;
    }
    if (!row) {
      if (event.key === "ArrowDown" && event.target === document.body) { rows[0].box.focus(); event.preventDefault(); }
      return;
    }
    var column = controls(row).indexOf(event.target);
    if (column < 0) return;
    var typing = event.target === row.reason;
    var deed = null;
    if (event.key === "ArrowDown" || event.key === "Enter") deed = function () { go(row, 1, column); };
    if (event.key === "ArrowUp") deed = function () { go(row, -1, column); };
    if (event.key === "ArrowRight" && !typing) deed = function () { controls(row)[column + 1].focus(); };
    if (event.key === "ArrowLeft" && column > 0 && (!typing || (row.reason.selectionStart === 0 && row.reason.selectionEnd === 0))) {
      deed = function () { controls(row)[column - 1].focus(); };
    }
    if (row.tier && !typing && /^[0-9]$/.test(event.key) && Number(event.key) < row.tier.options.length) {
      deed = function () {
        row.tier.selectedIndex = Number(event.key);
        row.tier.dispatchEvent(new Event("change", { bubbles: true }));
      };
    }
    if (deed) { event.preventDefault(); event.stopPropagation(); deed(); }
  }, true);

  form.querySelector("[data-desk-keys]").hidden = false;
  form.querySelector("[data-desk-save]").hidden = true;
  rows.forEach(function (row) { if (!row.failed) save(row); }); // a browser may have filled fields again
  summary();
})();
