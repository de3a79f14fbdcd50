// The class teacher's list: every row is saved as it is typed, and filled in without a mouse. Without this file the
// page is one form that saves and hands in all rows together.
(function () {
  "use strict";
  var form = document.querySelector("[data-class-desk]");
  if (!form || !window.fetch || !form.requestSubmit) return;
  var base = form.getAttribute("data-class-desk");
  var token = form.querySelector("input[name=csrfmiddlewaretoken]");
  var place = form.querySelector("[data-desk-state]");
  var submit = form.querySelector("[data-desk-submit]");
  // Milliseconds: after the last key, between two sendings, and until what was not answered is sent again.
  var PAUSE = 1500, BETWEEN = 2500, AGAIN = 4000;
  // Bytes of one sending: what a browser still carries when the page is left is 64 kB in all.
  var AT_ONCE = 50000;
  var ENDED = "登录已过期，没有保存。请在新窗口重新登录，再回来提交或改动任意一行；填的内容都还在，会一起保存。";
  var OTHER = "这个浏览器里现在登录的是另一个账号，没有保存。请在新窗口退出，用原来的账号登录，再回来提交或改动任意一行；填的内容都还在，会一起保存。";
  // The row marks: `sent` what is on its way, `down` sent without an answer, `ended` refused because nobody is signed in,
  // `held` somebody else's text is in the way, `failed` the person has to do something.
  var leaving = false, wish = null, going = 0, queue = [], told = 0, lastSent = 0, timer = 0;

  var rows = Array.prototype.map.call(form.querySelectorAll("tr[data-row]"), function (line) {
    var key = line.getAttribute("data-row");
    var row = {
      line: line, key: key,
      box: line.querySelector("input[name=apply]"),
      tier: line.querySelector("select"),
      reason: line.querySelector("input[name='reason_" + key + "']"),
      seen: line.querySelector("input[name='seen_" + key + "']"),
      state: line.querySelector("[data-row-state]"),
      timer: 0, sent: null, held: false, failed: false, down: false, ended: false, settled: false,
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
    if (same(now(row), row.kept)) { if (row.failed) say(row, "", ""); row.ended = false; return; }
    queue.push(row);
    next(false);
  }
  // One sending at a time, with what came together meanwhile: a teacher who ticks quickly asks the server seldom.
  function next(atOnce) {
    window.clearTimeout(timer);
    if (queue.length && !going) {
      var wait = atOnce ? 0 : Math.max(0, lastSent + BETWEEN - Date.now());
      if (wait) { timer = window.setTimeout(function () { next(true); }, wait); } else { send(fitting(), false); }
    }
    summary();
  }
  function part(row) {
    var body = new URLSearchParams();
    body.set("seen_" + row.key, row.seen.value);
    if (row.sent.apply) body.set("apply", row.key);
    body.set("tier_" + row.key, row.sent.tier);
    body.set("reason_" + row.key, row.sent.reason);
    return body.toString();
  }
  // The first rows of the queue that go together.
  function fitting() {
    var some = [], size = 0;
    while (queue.length) {
      queue[0].sent = queue[0].sent || now(queue[0]);
      size += part(queue[0]).length + 1;
      if (some.length && size > AT_ONCE) { queue[0].sent = null; break; }
      some.push(queue.shift());
    }
    return some;
  }
  function send(some, last, isSecond) {
    going += 1;
    lastSent = Date.now();
    some.forEach(function (row) { say(row, "正在保存", ""); });
    window.fetch(base + "rows/", {
      method: "POST", body: some.map(part).join("&"), credentials: "same-origin", redirect: "manual", keepalive: last,
      headers: { "X-CSRFToken": token.value, "Accept": "application/json", "Content-Type": "application/x-www-form-urlencoded" },
    }).then(function (answer) {
      if (answer.type === "opaqueredirect") return { status: 401, said: {} };
      if (!/json/.test(answer.headers.get("Content-Type") || "")) return { status: answer.status < 500 ? answer.status : 500, said: {} };
      return answer.json().then(function (said) { return { status: answer.status, said: said }; }, function () { return { status: 0, said: {} }; });
    }, function () { return { status: 0, said: {} }; }).then(function (answer) {
      going -= 1;
      if (answer.status === 403 && !answer.said.said && !isSecond) { renew(some, last); return; }
      heard(some, answer.status, answer.said);
      if (wish && answer.status !== 200) {
        wish = null; // handing in would lose the page
        place.scrollIntoView({ block: "center" });
      }
      if (wish && !going && !queue.length) { handIn(); } else { next(Boolean(wish)); }
    });
  }
  // A sign-in in another window changes the token: the rows go once more with the one that counts, if it is the same
  // person's.
  function renew(some, last) {
    going += 1;
    window.aidSession().then(function (who) {
      going -= 1;
      if (who === "same") { send(some, last, true); return; }
      wish = null;
      heard(some, who === "down" ? 0 : 401, who === "other" ? { said: OTHER } : {});
      next(false);
    });
  }
  function heard(some, status, said) {
    if (status === 0 || status >= 500 || status === 429) {
      // The same once more, until it is answered: whether it arrived is not known.
      some.forEach(function (row) { row.down = true; say(row, "", "网络不通，还没有保存，会自动再试"); });
      again(some);
      return;
    }
    some.forEach(function (row) {
      var sent = row.sent;
      row.sent = null;
      row.down = false;
      if (status === 200) {
        answered(row, sent, said.rows[row.key] || {});
      } else {
        row.ended = true;
        say(row, "", said.said || (status === 401 && ENDED) || "没有保存。请在新窗口打开本页，看是否要重新登录，再回来提交；填的内容都还在。");
      }
    });
    if (status === 200) rows.filter(function (row) { return row.ended; }).forEach(function (row) { row.ended = false; save(row); });
  }
  function again(some) {
    window.setTimeout(function () { if (leaving) { again(some); } else { send(some, false); } }, AGAIN);
  }
  function answered(row, sent, said) {
    if (said.status === 200) {
      row.seen.value = said.seen;
      row.kept = sent;
      told += 1;
      if (said.state) { say(row, said.state + "，已保存", ""); } else { say(row, "已取消", ""); }
      if (!same(now(row), sent)) later(row, 0);
    } else if (said.status === 409) {
      row.held = true;
      say(row, "", said.said);
      choice(row, said);
    } else {
      if (said.apply && !sent.apply && !row.box.checked) {
        // What is on record cannot be given up by a tick: the page shows what holds.
        row.box.checked = true;
        row.kept = { apply: true, tier: said.tier, reason: said.reason };
        row.seen.value = said.seen;
        row.settled = true;
        row.box.dispatchEvent(new Event("change", { bubbles: true })); // for who counts the ticks
        row.settled = false;
      }
      say(row, "", said.said || "没有保存。请刷新页面后再填。");
      if (said.page) link(row, said.page, said.state);
    }
  }
  function link(row, page, words) {
    var anchor = document.createElement("a");
    anchor.href = page;
    anchor.textContent = "打开申请页（" + words + "）";
    row.state.appendChild(anchor);
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
    leaving = false; // a page that was stopped on its way out is typed into again
    later(row, PAUSE);
    summary();
  });
  form.addEventListener("change", function (event) {
    if (event.target.hasAttribute("data-select-all")) {
      window.setTimeout(function () { rows.forEach(function (row) { save(row); }); }, 0); // when they are all ticked
      return;
    }
    leaving = false;
    var row = rowOf(event.target);
    if (!row || row.settled) return;
    if (event.target === row.tier && row.tier.value && !row.box.checked) tick(row);
    later(row, 0);
  });
  function tick(row) {
    row.box.checked = true;
    row.box.dispatchEvent(new Event("change", { bubbles: true }));
  }

  // --- handing in and leaving -----------------------------------------------------------------------

  // What was typed is on record before the page is given up: whatever becomes of handing in, nothing is lost.
  function waits() {
    rows.forEach(function (row) {
      if (row.timer || row.ended || (!row.failed && !same(now(row), row.kept))) { row.ended = false; save(row); }
    });
    next(true);
    return going || queue.length;
  }
  form.addEventListener("submit", function (event) {
    if (rows.some(function (row) { return row.down; })) {
      event.preventDefault();
      event.stopPropagation();
      summary();
      place.scrollIntoView({ block: "center" });
    } else if (waits()) {
      event.preventDefault();
      event.stopPropagation();
      wish = event.submitter || submit;
    }
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
  function parting() {
    rows.forEach(function (row) { save(row); });
    window.clearTimeout(timer);
    // Beside one that is on its way: the page may not live to see its answer.
    if (queue.length) send(fitting(), true);
  }
  window.addEventListener("beforeunload", function (event) {
    if (leaving || !unsaved().length) return;
    parting();
    event.preventDefault();
    event.returnValue = "";
  });
  document.addEventListener("visibilitychange", function () {
    if (document.visibilityState === "hidden" && !leaving) parting();
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
