// Made by `make messages` from the app's djangojs.po.
(globalThis.hubbubTexts ??= []).push({ plural: (n) => Number(n != 1), texts: {
  "%(file)s is too large. A picture may have %(size)s MB.": "%(file)s ist zu groß. Ein Bild darf %(size)s MB haben.",
  "%(n)s unsaved edit": [
    "%(n)s nicht gespeicherte Bearbeitung",
    "%(n)s nicht gespeicherte Bearbeitungen"
  ],
  "%(n)s unsent message": [
    "%(n)s nicht gesendete Nachricht",
    "%(n)s nicht gesendete Nachrichten"
  ],
  "The server did not answer. What you typed stays here: try again in a moment.": "Der Server hat nicht geantwortet. Was du geschrieben hast, bleibt hier stehen: Versuche es gleich noch einmal.",
  "You are signed out. What you typed stays here: sign in again in another tab, then save it.": "Du bist abgemeldet. Was du geschrieben hast, bleibt hier stehen: Melde dich in einem anderen Tab wieder an, dann speichere es.",
  "a draft": "ein Entwurf"
} });
