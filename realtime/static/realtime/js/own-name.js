// The name of the visitor where pages show it: elements with `data-own-name`, and labels that begin with `data-own-label`.

export function showOwnName(name) {
  for (const element of document.querySelectorAll("[data-own-name]")) element.textContent = name;
  for (const element of document.querySelectorAll("[data-own-label]")) {
    element.setAttribute("aria-label", `${element.dataset.ownLabel} ${name}`);
  }
}
