// The titles in a room page's list of rooms, taken from the lobby. The title of the page's own room arrives by its socket.

/**
 * @param {Pick<ParentNode, "querySelectorAll">} list  of rooms on this page
 * @param {Pick<ParentNode, "querySelectorAll">} lobby  the fetched page
 */
export function takeTitles(list, lobby) {
  const titles = new Map();
  for (const row of lobby.querySelectorAll(".lobby-row")) {
    titles.set(row.getAttribute("href"), row.querySelector(".lobby-title")?.textContent);
  }
  for (const link of list.querySelectorAll(".rooms-link:not([aria-current])")) {
    const title = titles.get(link.getAttribute("href"));
    const place = link.querySelector("[data-role=room-title]");
    if (title !== undefined && place !== null) place.textContent = title;
  }
}
