// The titles in a room page's list of rooms, as the lobby has them. That of the page's own room comes by its socket.

export function takeTitles(list, lobby) {
  const titles = new Map();
  for (const row of lobby.querySelectorAll(".lobby-row")) {
    titles.set(row.getAttribute("href"), row.querySelector(".lobby-title").textContent);
  }
  for (const link of list.querySelectorAll(".rooms-link:not([aria-current])")) {
    const title = titles.get(link.getAttribute("href"));
    if (title !== undefined) link.querySelector("[data-role=room-title]").textContent = title;
  }
}
