// Whether the tab of an unsaved edit is still open: it holds a lock as long as it has one.

const START = "hubbub edits ";

export class EditingTab {
  #name;
  #locks;
  /** @type {(() => void) | null} */
  #release = null;

  /**
   * @param {string} tab  its id
   * @param {Pick<LockManager, "request" | "query">} [locks]
   */
  constructor(tab, locks = globalThis.navigator?.locks) {
    this.#name = START + tab;
    this.#locks = locks;
  }

  /** @param {boolean} hasEdits  this tab has unsaved edits */
  hold(hasEdits) {
    if (!hasEdits) {
      this.#release?.();
      this.#release = null;
    } else if (this.#release === null) {
      /** @type {Promise<void>} */
      const held = new Promise((resolve) => {
        this.#release = resolve;
      });
      // Shared: the lock of the page before a reload may not be free yet.
      this.#locks?.request(this.#name, { mode: "shared" }, () => held).catch(() => {});
    }
  }

  /**
   * The ids of the open tabs with unsaved edits.
   *
   * @returns {Promise<Set<string> | null>} null where there are no locks
   */
  async others() {
    const { held = [] } = (await this.#locks?.query()) ?? {};
    if (this.#locks === undefined) return null;
    return new Set(held.flatMap(({ name }) => (name?.startsWith(START) ? [name.slice(START.length)] : [])));
  }
}
