// The name of the visitor where pages show it: elements with `data-own-name`, and labels that begin with `data-own-label`.

export function showOwnName(name) {
  for (const element of document.querySelectorAll("[data-own-name]")) {
    if (element.tagName === "INPUT") element.value = name;
    else element.textContent = name;
  }
  for (const element of document.querySelectorAll("[data-own-label]")) {
    element.setAttribute("aria-label", `${element.dataset.ownLabel} ${name}`);
  }
}

/** The name that a page fetched just now has; not that of another user, who has signed in with this browser meanwhile. */
export function takeOwnName(page) {
  const [here, there] = [document, page].map((one) => one.querySelector("[data-own-id]"));
  const name = page.querySelector("[data-own-name]");
  if (here && there && name && here.dataset.ownId === there.dataset.ownId) showOwnName(name.textContent);
}
