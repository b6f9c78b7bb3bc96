"use strict";
// The call tree: step, modules by their dotted names, calls, values. Elements are made when a branch is opened.
(() => {
  const FAIL = 0, NOTED = 1, PASSED = 2, LEFT_OUT = 3;
  const SIGNS = ["✗", "~", "✓", "–"];
  const STATES = ["fail", "noted", "pass", "left"];
  const WORDS = ["fails", "passed with a note", "passed", "not compared"];
  const AT_ONCE = 200;   // children shown before one has to ask for more
  const OPENED = 150;    // so few matches are shown opened
  const data = JSON.parse(document.getElementById("sites").textContent);
  const tree = document.getElementById("tree-body"), shown = document.getElementById("tree-count");
  const search = document.getElementById("tree-search"), failing = document.getElementById("tree-failing");
  const stageOf = document.getElementById("tree-stage");

  function node(name, title, parent) {
    return { name, title, parent, call: false, children: new Map(), inside: [], rows: [], element: null,
      states: [0, 0, 0, 0], ratio: null, largest: null };
  }

  function child(parent, key, title = "") {
    if (!parent.children.has(key)) parent.children.set(key, node(key, title, parent));
    return parent.children.get(key);
  }

  const number = value => value === null ? null : Number(value);
  const rows = data.rows.map(([stage, step, name, state, largest, ratio, text]) => {
    const [site, module, call, label] = data.names[name];
    const full = data.steps[step][0] === "weights" ? site : `${data.steps[step][0]}/${site}`;
    return { stage, step, module, call, label, state, largest: number(largest), ratio: number(ratio), site: full,
      text: text === null ? "" : data.texts[text], looked: `${data.stages[stage]} ${full} ${label}`.toLowerCase(), leaf: null };
  });
  const recalled = new Set(rows.filter(row => row.call > 0).map(row => `${row.step} ${row.module}`));
  const causes = new Set(data.causes.map(([stage, site]) => `${stage} ${site}`));
  const isCause = row => causes.has(`${data.stages[row.stage]} ${row.site}`);

  const worse = (a, b) => a === null || b > a ? b : a;

  // All rows that the filters let through, hung into a fresh tree whose branches know the worst below them.
  function grow(kept) {
    const root = node("", "", null);
    for (const row of kept) {
      let at = child(root, data.steps[row.step][0], data.steps[row.step][1]);
      for (const part of row.module ? row.module.split(".") : []) at = child(at, part);
      if (recalled.has(`${row.step} ${row.module}`)) (at = child(at, `call ${row.call + 1}`)).call = true;
      at.rows.push(row);
      row.home = at;
      for (let up = at; up; up = up.parent) {
        up.states[row.state] += 1;
        if (row.ratio !== null) up.ratio = worse(up.ratio, row.ratio);
        if (row.largest !== null) up.largest = worse(up.largest, row.largest);
      }
    }
    return root;
  }

  const total = branch => branch.states.reduce((a, b) => a + b, 0);

  function stateOf(branch) {
    if (branch.states[FAIL]) return FAIL;
    if (branch.states[NOTED]) return NOTED;
    return branch.states[PASSED] ? PASSED : LEFT_OUT;
  }

  function span(kind, text) {
    const made = document.createElement("span");
    made.className = kind;
    made.textContent = text;
    return made;
  }

  function figure(value) {
    if (value === null) return "–";
    if (!Number.isFinite(value)) return value > 0 ? "infinite" : "NaN";
    const size = Math.abs(value);   // as Python's .3g has it
    if (size !== 0 && (size < 1e-4 || size >= 1000)) return value.toExponential(2).replace(/\.?0+e/, "e");
    return String(Number(value.toPrecision(3)));
  }

  function line(into, state, name, count, ratio, largest) {
    const sign = span("sign", SIGNS[state]);
    sign.setAttribute("role", "img");
    sign.setAttribute("aria-label", WORDS[state]);
    into.classList.add("row", STATES[state]);
    into.append(sign, name, span("count", count), span("number", figure(ratio)), span("number", figure(largest)));
  }

  function countOf(branch) {
    const all = total(branch), parts = [];
    if (branch.states[FAIL]) parts.push(`${branch.states[FAIL]} of ${all} fail`);
    else parts.push(`${all} site${all === 1 ? "" : "s"}`);
    if (branch.states[LEFT_OUT]) parts.push(`${branch.states[LEFT_OUT]} not compared`);
    return parts.join(", ");
  }

  // A module with nothing in it but one other is shown together with it: resblocks.main
  function compress(branch) {
    branch.inside = [...branch.children.values()].map(one => {
      while (branch.parent && !one.rows.length && one.children.size === 1) {
        const only = one.children.values().next().value;
        if (only.call) break;
        only.name = `${one.name}.${only.name}`;
        only.parent = branch;
        one = only;
      }
      compress(one);
      return one;
    });
  }

  function branchElement(branch) {
    const details = document.createElement("details"), summary = document.createElement("summary");
    const title = span("what", "");
    title.append(span("name", branch.name));
    if (branch.title) title.append(span("gloss", branch.title));
    line(summary, stateOf(branch), title, countOf(branch), branch.ratio, branch.largest);
    details.append(summary);
    details.addEventListener("toggle", () => { if (details.open) fill(branch); });
    branch.element = details;
    return details;
  }

  function leafElement(row) {
    const leaf = document.createElement("div"), title = span("what", "");
    title.title = [row.site, row.text].filter(Boolean).join(": ");
    title.append(span("label", row.label), span("chip", data.stages[row.stage]));
    if (isCause(row)) {
      title.append(span("chip cause-chip", "root cause"));
      leaf.classList.add("cause-leaf");
    }
    line(leaf, row.state, title, "", row.ratio, row.largest);
    leaf.classList.add("leaf");
    // that it errs more than it may is told by the ratio; what else there is to say stands below
    if (row.text && !(row.ratio !== null && row.text.startsWith("errs "))) leaf.append(span("text", row.text));
    row.leaf = leaf;
    return leaf;
  }

  function append(into, items, from = 0) {
    for (const [make, item] of items.slice(from, from + AT_ONCE)) into.append(make(item));
    const next = from + AT_ONCE, left = items.length - next;
    if (left <= 0) return;
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = `show ${Math.min(left, AT_ONCE)} more of ${left}`;
    button.addEventListener("click", () => { button.remove(); append(into, items, next); });
    into.append(button);
  }

  function fill(branch) {
    if (branch.element.dataset.filled) return;
    branch.element.dataset.filled = "yes";
    append(branch.element, contents(branch));
  }

  function contents(branch) {   // all stages of a value stand together
    const values = new Map();
    for (const row of branch.rows) values.set(row.site, [...(values.get(row.site) ?? []), row]);
    return [...[...values.values()].flat().map(row => [leafElement, row]), ...branch.inside.map(one => [branchElement, one])];
  }

  function open(branch) {
    if (!branch.parent) return;
    open(branch.parent);
    if (!branch.element) return;   // beyond the children shown at once
    branch.element.open = true;
    fill(branch);
  }

  function show() {
    const asked = search.value.toLowerCase().split(/\s+/).filter(Boolean), stage = stageOf.value;
    const kept = rows.filter(row => (!failing.checked || row.state === FAIL) && (stage === "" || row.stage === Number(stage))
      && asked.every(word => row.looked.includes(word)));
    const root = grow(kept);
    compress(root);
    const filtered = asked.length || failing.checked;
    tree.replaceChildren();
    append(tree, contents(root));
    shown.textContent = `${kept.length} of ${rows.length} sites shown`;
    const wanted = filtered && kept.length <= OPENED ? kept : kept.filter(isCause).slice(0, 20);
    for (const row of wanted) open(row.home);
  }

  function visibleSummaries() {
    return [...tree.querySelectorAll("summary")].filter(one => one.checkVisibility ? one.checkVisibility() : one.offsetParent);
  }

  tree.addEventListener("keydown", event => {
    const at = event.target.closest("summary");
    if (!at || event.ctrlKey || event.altKey || event.metaKey) return;
    const details = at.parentElement, all = visibleSummaries(), place = all.indexOf(at);
    let next = null;
    if (event.key === "ArrowDown") next = all[place + 1];
    else if (event.key === "ArrowUp") next = all[place - 1];
    else if (event.key === "Home") next = all[0];
    else if (event.key === "End") next = all[all.length - 1];
    else if (event.key === "ArrowRight" && !details.open) details.open = true;
    else if (event.key === "ArrowRight") next = all[place + 1];
    else if (event.key === "ArrowLeft" && details.open) details.open = false;
    else if (event.key === "ArrowLeft") next = details.parentElement.closest("details")?.querySelector("summary");
    else return;
    event.preventDefault();
    if (next) next.focus();
  });

  document.addEventListener("click", event => {
    const link = event.target.closest("a[data-site]");
    if (!link) return;
    search.value = link.dataset.site;
    failing.checked = false;
    stageOf.value = "";
    show();
  });

  data.stages.forEach((name, place) => stageOf.append(new Option(name, place)));
  let waiting = 0;
  search.addEventListener("input", () => { clearTimeout(waiting); waiting = setTimeout(show, 120); });
  failing.addEventListener("change", show);
  stageOf.addEventListener("change", show);
  document.getElementById("tree").hidden = false;
  show();
})();
