// A storage as browsers have it: the entries are its own properties.

const METHODS = {
  /**
   * @this {Record<string, string>}
   * @param {string} name
   */
  getItem(name) {
    return Object.hasOwn(this, name) ? this[name] : null;
  },
  /**
   * @this {Record<string, string>}
   * @param {string} name
   * @param {string} value
   */
  setItem(name, value) {
    this[name] = value;
  },
  /**
   * @this {Record<string, string>}
   * @param {string} name
   */
  removeItem(name) {
    delete this[name];
  },
};

/** @returns {Storage} */
export const storage = () => Object.create(METHODS);
