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
  "a draft": "ein Entwurf"
} });
