// Filters, deep links, copying and enlarging. Without it the page is a plain list.
(() => {
  "use strict";
  const byId = (id) => document.getElementById(id);
  const form = byId("filters");
  const claims = [...document.querySelectorAll("details.claim")];
  const fields = ["paper", "verdict", "kind", "room"];
  const texts = new Map();
  document.documentElement.classList.add("js");
  form.hidden = claims.length === 0;

  function wordsOf(claim) {
    if (!texts.has(claim)) texts.set(claim, claim.textContent.toLowerCase());
    return texts.get(claim);
  }

  function fits(claim) {
    const words = form.text.value.toLowerCase().split(/\s+/).filter(Boolean);
    return (
      fields.every((name) => !form[name].value || claim.dataset[name] === form[name].value) &&
      words.every((word) => wordsOf(claim).includes(word))
    );
  }

  function apply() {
    let shown = 0;
    for (const claim of claims) {
      claim.hidden = !fits(claim);
      shown += claim.hidden ? 0 : 1;
    }
    for (const list of document.querySelectorAll(".claims")) {
      list.hidden = !list.querySelector("details.claim:not([hidden])");
    }
    byId("none").hidden = shown > 0;
    byId("count").textContent = `${shown} of ${claims.length} claims`;
  }

  function remember() {
    const query = new URLSearchParams([...new FormData(form)].filter(([, value]) => value)).toString();
    history.replaceState(null, "", `${location.pathname}${query && "?" + query}${location.hash}`);
  }

  function recall() {
    for (const [name, value] of new URLSearchParams(location.search)) {
      if (form.elements[name]) form.elements[name].value = value;
    }
  }

  function follow() {
    const claim = byId(decodeURIComponent(location.hash.slice(1)));
    if (!claim || !claims.includes(claim)) return;
    if (claim.hidden) {
      form.reset();
      apply();
    }
    claim.open = true;
    claim.scrollIntoView();
  }

  // A region that scrolls sideways can be reached by the keyboard. Observed: to ask all of them would lay them all out.
  const regions = new ResizeObserver((changed) => {
    for (const { target } of changed) {
      if (target.scrollWidth > target.clientWidth) target.tabIndex = 0;
      else target.removeAttribute("tabindex");
    }
  });

  function enlarge(link) {
    const small = link.querySelector("img");
    const dialog = byId("zoom");
    const image = dialog.querySelector("img");
    image.src = small.src;
    image.alt = `${small.closest("figure").querySelector("figcaption b").textContent}, enlarged`;
    byId("zoomed").textContent = small.closest("figure").querySelector("figcaption").firstElementChild.textContent;
    dialog.showModal();
  }

  function copy(button) {
    const command = button.closest(".command").querySelector("code");
    getSelection().selectAllChildren(command);
    const said = (done) => (byId("copied").textContent = done ? `Copied: ${command.textContent}` : "Selected, not copied");
    if (!navigator.clipboard) return said(document.execCommand("copy"));
    return navigator.clipboard.writeText(command.textContent).then(
      () => said(true),
      () => said(document.execCommand("copy")),
    );
  }

  // Large tables are packed; a browser that can unpack them saves plain CSV.
  async function unpack(link) {
    const packed = await (await fetch(link.href)).blob();
    const plain = await new Response(packed.stream().pipeThrough(new DecompressionStream("gzip"))).blob();
    const saved = Object.assign(document.createElement("a"), { href: URL.createObjectURL(plain), download: link.text });
    saved.click();
    setTimeout(() => URL.revokeObjectURL(saved.href), 1000);
  }

  form.addEventListener("input", () => (apply(), remember()));
  form.addEventListener("reset", () => setTimeout(() => (apply(), remember())));
  form.addEventListener("submit", (event) => event.preventDefault());
  document.addEventListener("click", (event) => {
    const link = event.target.closest("a, button");
    if (!link) {
      if (event.target.id === "zoom") event.target.close();
    } else if (link.matches(".copy")) copy(link);
    else if (link.matches(".enlarge")) (event.preventDefault(), enlarge(link));
    else if (link.matches("[data-packed]") && window.DecompressionStream) (event.preventDefault(), unpack(link));
    else if (link.matches("[data-verdict]")) {
      form.reset();
      form.paper.value = link.dataset.paper;
      form.verdict.value = link.dataset.verdict;
      setTimeout(() => (apply(), remember()));
    }
  });
  addEventListener("load", () => document.querySelectorAll(".wide").forEach((one) => regions.observe(one)));
  addEventListener("hashchange", follow);
  // On paper everything is open; afterwards as before.
  let closed = [];
  addEventListener("beforeprint", () => {
    closed = [...document.querySelectorAll("details:not([open])")];
    for (const one of closed) one.open = true;
    for (const picture of document.images) picture.loading = "eager";
  });
  addEventListener("afterprint", () => {
    for (const one of closed) one.open = false;
  });
  recall();
  apply();
  follow();
})();
