// Theme and clock of the reader, on all open pages of the browser: a page that was made after a change tells the others.

const NAME = "hubbub choices";
const METAS = 'meta[name="color-scheme"], meta[name="theme-color"]';

/** @typedef {{ name: string, content: string, media: string }} Meta */

/**
 * @typedef {object} Choices
 * @property {string} user  the id
 * @property {string} theme
 * @property {string} clock
 * @property {Meta[]} metas  that the browser's own parts follow
 */

/**
 * Tells the other pages what this one was made with.
 *
 * @param {string} user  the id
 */
export function tellChoices(user, channel = new BroadcastChannel(NAME)) {
  const { theme = "", clock = "" } = document.documentElement.dataset;
  const metas = metasOf().map(({ name, content, media }) => ({ name, content, media }));
  channel.postMessage({ user, theme, clock, metas });
}

/**
 * Takes over what another page was made with. The theme is a matter of style sheets.
 *
 * @param {string} user  the id
 * @param {{ theme?: () => void, clock?: () => void }} changed  run after a change
 * @param {Pick<BroadcastChannel, "onmessage">} [channel]
 */
export function followChoices(user, changed, channel = new BroadcastChannel(NAME)) {
  const { dataset } = document.documentElement;
  channel.onmessage = (/** @type {{ data: Choices }} */ { data }) => {
    if (data.user !== user) return;
    if (data.theme !== dataset.theme) {
      dataset.theme = data.theme;
      for (const meta of metasOf()) meta.remove();
      document.head.append(...data.metas.map((meta) => Object.assign(document.createElement("meta"), meta)));
      changed.theme?.();
    }
    if (data.clock !== dataset.clock) {
      dataset.clock = data.clock;
      changed.clock?.();
    }
  };
}

const metasOf = () => [.../** @type {NodeListOf<HTMLMetaElement>} */ (document.head.querySelectorAll(METAS))];
