// The log is one stop for Tab: the message that had the focus last, as long as it is in sight; else the log itself.

/**
 * @param {HTMLElement} log  scrolls
 * @param {HTMLElement} list  holds the rows
 */
export function roveRows(log, list) {
  /** @type {HTMLElement | null} */
  let stop = null;
  // A stop out of sight would move the reader. A row that is rendered no more is out of sight, too.
  const sight = new IntersectionObserver(
    (entries) => {
      const last = entries.findLast(({ target }) => target === stop);
      if (last?.isIntersecting === false && !stop?.contains(document.activeElement)) stopAt(null);
    },
    { root: log },
  );

  /** @param {HTMLElement | null} row */
  function stopAt(row) {
    if (stop !== null) {
      stop.tabIndex = -1;
      sight.unobserve(stop);
    }
    stop = row;
    log.tabIndex = row === null ? 0 : -1;
    if (row === null) return;
    row.tabIndex = 0;
    sight.observe(row);
  }

  list.addEventListener("focusin", ({ target }) => {
    const row = target instanceof Element ? target.closest("article.message") : null;
    if (row instanceof HTMLElement && row !== stop) stopAt(row);
  });
}
